import { spawnSync } from 'node:child_process'
import { globSync, readFileSync } from 'node:fs'
import { basename, join, resolve } from 'node:path'
import { findPromtool, repoRoot } from '@tollgate/local-stack'
import { describe, expect, test } from 'vitest'

const here = resolve(import.meta.dirname, '..')
const read = (pattern: string, cwd: string) =>
  globSync(pattern, { cwd }).map((file) => ({ file, text: readFileSync(join(cwd, file), 'utf8') }))

const sources = read('{services,packages,apps}/*/src/**/*.ts', repoRoot).filter(
  ({ file }) => !file.endsWith('.test.ts'),
)
const rules = read('alerts/*.yml', here)
const ruleTests = read('tests/*.yml', here)

const namesIn = (text: string, pattern: RegExp) => [...text.matchAll(pattern)].flatMap(([, name]) => name ?? [])
const defined = new Set(
  sources.flatMap(({ text }) => namesIn(text, /\.(?:counter|gauge|histogram)(?:<[^>]+>)?\(\s*'(tollgate_\w+)'/g)),
)

// Lines of the page's table: metrics | alert when | then.
const page = readFileSync(join(repoRoot, 'docs/operations.md'), 'utf8')
const lines = page.split('\n').flatMap((line) => {
  const [, metrics, condition, action] = line.split(/(?<!\\)\|/).map((cell) => cell.trim())
  return metrics?.startsWith('`tollgate_') ? [{ names: namesIn(metrics, /`(tollgate_\w+)/g), condition, action }] : []
})
const documented = new Set(lines.flatMap(({ names }) => names))

const alerts = rules.flatMap(({ file, text }) =>
  text
    .split(/^ {6}- alert: /m)
    .slice(1)
    .map((body) => ({ file, name: /^\w+/.exec(body)?.[0] ?? '', body })),
)
// A histogram's series carry a suffix that its definition does not.
const metricsOf = (body: string) =>
  namesIn(body.split('annotations:')[0] ?? '', /(tollgate_\w+)/g).map((name) =>
    defined.has(name) ? name : name.replace(/_(bucket|sum|count)$/, ''),
  )
const alerted = new Set(alerts.flatMap(({ body }) => metricsOf(body)))

const promtool = findPromtool()
describe.skipIf(promtool === null)('promtool', () => {
  const run = (...args: string[]) => {
    const { status, stdout, stderr } = spawnSync(promtool ?? '', args, { cwd: here, encoding: 'utf8' })
    return { status, output: `${stdout}${stderr}` }
  }

  test.each(rules.map(({ file }) => file))('finds no fault in %s', (file) => {
    expect(run('check', 'rules', file)).toMatchObject({ status: 0 })
  })

  test.each(ruleTests.map(({ file }) => file))('%s holds', (file) => {
    const { status, output } = run('test', 'rules', file)
    expect(output).toContain('SUCCESS')
    expect(status).toBe(0)
  })
})

test('every metric that the code defines has a line in docs/operations.md, and every line a metric', () => {
  expect(defined.size).toBeGreaterThan(20)
  expect([...documented].toSorted()).toEqual([...defined].toSorted())
})

test('every line with a condition has a rule, and says what to do', () => {
  const open = lines.filter(({ names, condition }) => condition !== '–' && !names.some((name) => alerted.has(name)))
  expect(open).toEqual([])
  expect(lines.filter(({ action }) => action === undefined || action.length < 3)).toEqual([])
})

test('every rule stands on metrics that exist, in the file of the service that defines one of them', () => {
  for (const { name, file, body } of alerts) {
    const metrics = metricsOf(body)
    expect(metrics.length, name).toBeGreaterThan(0)
    for (const metric of metrics) expect([...defined], name).toContain(metric)
    expect(body, name).toMatch(/summary: .{10}/)
    expect(body, name).toMatch(/runbook: .{10}/)
    const service = basename(file, '.yml')
    const own = sources.filter((source) => source.file.startsWith(`services/${service}/`)).map(({ text }) => text)
    expect(own.length === 0 || own.some((text) => metrics.some((metric) => text.includes(`'${metric}'`))), name).toBe(
      true,
    )
  }
})

test('every rule has a test in which it fires', () => {
  const tested = ruleTests.flatMap(({ text }) => namesIn(text, /alertname="(\w+)"/g))
  expect(tested.toSorted()).toEqual(alerts.map(({ name }) => name).toSorted())
})
