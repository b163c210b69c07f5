import { spawnSync } from 'node:child_process'
import { globSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { findPromtool, repoRoot } from '@tollgate/local-stack'
import { createTemporaryDir, createTestDatabase, type TestDatabase } from '@tollgate/local-stack/testing'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'

const here = resolve(import.meta.dirname, '..')

// What Grafana reads of a dashboard (schema version 39); an unknown panel type or a missing field shows an empty panel.
const datasource = z.strictObject({
  type: z.enum(['prometheus', 'grafana-postgresql-datasource']),
  uid: z.string().regex(/^\$\{\w+\}$/),
})
const target = z.union([
  z.strictObject({
    ...{ refId: z.string(), datasource, expr: z.string().min(1), legendFormat: z.string() },
  }),
  z.strictObject({
    ...{ refId: z.string(), datasource, rawSql: z.string().min(1), rawQuery: z.literal(true) },
    ...{ editorMode: z.literal('code'), format: z.enum(['time_series', 'table']) },
  }),
])
const cells = z.number().int().nonnegative()
const panel = z.strictObject({
  id: z.number().int().positive(),
  type: z.enum(['stat', 'table', 'timeseries']),
  title: z.string().min(1),
  description: z.string().min(1),
  datasource,
  targets: z.array(target).min(1),
  gridPos: z.strictObject({ x: cells, y: cells, w: cells.max(24), h: cells }),
  fieldConfig: z.strictObject({ defaults: z.looseObject({ unit: z.string() }), overrides: z.array(z.never()) }),
  options: z.strictObject({}),
})
const dashboard = z.strictObject({
  uid: z.string().regex(/^tollgate-\w+$/),
  title: z.string(),
  description: z.string(),
  tags: z.array(z.string()),
  schemaVersion: z.literal(39),
  ...{ version: z.literal(1), editable: z.boolean(), graphTooltip: z.literal(1), timezone: z.literal('browser') },
  refresh: z.string().regex(/^\d+[sm]$/),
  time: z.strictObject({ from: z.string(), to: z.literal('now') }),
  templating: z.strictObject({
    list: z.array(z.looseObject({ name: z.string(), type: z.string(), query: z.string() })),
  }),
  annotations: z.strictObject({ list: z.array(z.never()) }),
  panels: z.array(panel).min(5),
})

const files = globSync('*.json', { cwd: here }).filter((file) => file !== 'package.json')
const dashboards = files.map((file) => ({
  file,
  board: dashboard.parse(JSON.parse(readFileSync(join(here, file), 'utf8'))),
}))
const panels = dashboards.flatMap(({ board }) => board.panels)
const expressions = panels.flatMap(({ title, targets }) =>
  targets.flatMap((one) => ('expr' in one ? [{ title, expr: one.expr }] : [])),
)
const queries = panels.flatMap(({ title, type, targets }) =>
  targets.flatMap((one) => ('rawSql' in one ? [{ title, type, sql: one.rawSql, format: one.format }] : [])),
)

test.each(dashboards)('$file: panels do not overlap, and every data source is a variable of it', ({ board }) => {
  const taken = board.panels.flatMap(({ gridPos: { x, y, w, h } }) =>
    Array.from({ length: w * h }, (_, n) => `${x + (n % w)},${y + Math.floor(n / w)}`),
  )
  expect(new Set(taken).size).toBe(taken.length)
  expect(board.panels.every(({ gridPos: { x, w } }) => x + w <= 24)).toBe(true)
  expect(new Set(board.panels.map(({ id }) => id)).size).toBe(board.panels.length)
  const variables = board.templating.list.filter(({ type }) => type === 'datasource').map(({ name }) => `\${${name}}`)
  for (const { datasource } of board.panels) expect(variables).toContain(datasource.uid)
})

test('every metric named exists in the code', () => {
  const sources = globSync('{services,packages,apps}/*/src/**/*.ts', { cwd: repoRoot })
    .filter((file) => !file.endsWith('.test.ts'))
    .map((file) => readFileSync(join(repoRoot, file), 'utf8'))
  const pattern = /\.(?:counter|gauge|histogram)(?:<[^>]+>)?\(\s*'(tollgate_\w+)'/g
  const defined = new Set(sources.flatMap((text) => [...text.matchAll(pattern)].map(([, name]) => name)))
  const named = expressions.flatMap(({ expr }) => expr.match(/tollgate_\w+/g) ?? [])
  expect(new Set(named).size).toBeGreaterThan(20)
  const plain = named.map((name) => (defined.has(name) ? name : name.replace(/_bucket$/, '')))
  expect(plain.filter((name) => !defined.has(name))).toEqual([])
})

const promtool = findPromtool()
test.skipIf(promtool === null)('promtool finds no fault in an expression', async () => {
  const temporary = createTemporaryDir()
  const file = join(temporary.dir, 'rules.yml')
  const rules = expressions.map(({ expr }, n) => ({
    record: `panel:${n}`,
    expr: expr.replaceAll('$__rate_interval', '5m'),
  }))
  writeFileSync(file, JSON.stringify({ groups: [{ name: 'panels', rules }] })) // JSON is YAML
  const { status, stdout, stderr } = spawnSync(promtool ?? '', ['check', 'rules', file], { encoding: 'utf8' })
  await temporary.remove()
  expect(`${stdout}${stderr}`).toContain(`SUCCESS: ${rules.length} rules found`)
  expect(status).toBe(0)
})

describe('billing on a database', () => {
  const ORGANIZATIONS = ['00000000-0000-4000-8000-00000000000a', '00000000-0000-4000-8000-00000000000b']
  const USER = '00000000-0000-4000-8000-0000000000ff'
  let database: TestDatabase
  let sql: pg.Client

  beforeAll(async () => {
    database = await createTestDatabase()
    sql = new pg.Client(database.databaseUrl)
    await sql.connect()
    await sql.query(
      `insert into public.organizations (id, name, domain) values ($1, 'A', 'a'), ($2, 'B', 'b')`,
      ORGANIZATIONS,
    )
    const events = Array.from({ length: 60 }, (_, n) => ({
      ...{ type: 'usage.recorded', source: 'grafana', id: `event-${n}`, member: true, user_id: USER, message_count: 1 },
      ...{ time: new Date(Date.now() - (n % 9) * 86_400_000).toISOString(), received_at: new Date().toISOString() },
      ...{ organization_id: ORGANIZATIONS[n % 2], model: n % 3 ? 'gpt-4o' : 'without-a-price', session_id: 'chat-1' },
      ...{ input_tokens: 100 + n, output_tokens: 50, cache_read_input_tokens: 0, cache_creation_input_tokens: 0 },
      reasoning_output_tokens: 0,
    }))
    await sql.query('select public.ingest_usage($1)', [JSON.stringify({ events })])
    await sql.query('set role tollgate_reader')
  })
  afterAll(async () => {
    await sql?.end()
    await database?.drop()
  })

  /** A query as Grafana's Postgres data source sends it. */
  const fillIn = (text: string): string => {
    const [from, to] = [Date.now() - 30 * 86_400_000, Date.now() + 86_400_000].map((at) => new Date(at).toISOString())
    return text
      .replaceAll(/\$__timeFilter\(([^)]+)\)/g, `$1 between '${from}' and '${to}'`)
      .replaceAll(`\${organization:sqlstring}`, ORGANIZATIONS.map((id) => `'${id}'`).join(','))
  }
  const run = async (text: string) => (await sql.query(fillIn(text))).rows

  test.each(queries)('$title runs, and has rows', async ({ type, format, sql: text }) => {
    const rows = await run(text)
    expect(rows.length).toBeGreaterThan(0)
    if (type === 'timeseries') expect(format).toBe('time_series')
    if (format === 'time_series') expect(rows[0].time).toBeInstanceOf(Date)
  })

  test('the variable lists organizations by name', async () => {
    const [variable] = dashboards.flatMap(({ board }) =>
      board.templating.list.filter(({ name }) => name === 'organization'),
    )
    expect(await run(variable?.query ?? '')).toEqual([
      { __text: 'A', __value: ORGANIZATIONS[0] },
      { __text: 'B', __value: ORGANIZATIONS[1] },
    ])
  })

  test('totals equal the ledger', async () => {
    const [tokens] = await run(queries.find(({ title }) => title === 'LLM tokens')?.sql ?? '')
    const [cost] = await run(queries.find(({ title }) => title === 'Cost')?.sql ?? '')
    await sql.query('reset role')
    const { rows } = await sql.query(
      'select sum(total_tokens)::double precision as tokens_used, sum(cost_usd)::text as cost_usd from tollgate.usage_events',
    )
    await sql.query('set role tollgate_reader')
    expect({ ...tokens, cost_usd: Number(cost.cost_usd) }).toEqual({ ...rows[0], cost_usd: Number(rows[0].cost_usd) })
  })

  test.each([
    'delete from public.usage_metrics',
    "update tollgate.usage_by_model set model = 'x'",
    'select * from tollgate.service_keys',
    'select * from public.profiles',
  ])('its role may not: %s', async (text) => {
    await expect(sql.query(text)).rejects.toMatchObject({ code: '42501' })
  })
})
