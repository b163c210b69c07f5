import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { resolve } from 'node:path'
import { checkSupplies, type Finding } from './check-supplies.ts'
import { SUITES, type Suite } from './suites.ts'

const ROOT = resolve(import.meta.dirname, '../..')
const NAMES = [...SUITES.map(({ name }) => name), 'supplies']

/** Runs the test files of a suite as `pnpm test` would. */
async function runSuite({ name, tries, files }: Suite): Promise<Finding> {
  console.error(`${name}: ${tries}`)
  const args = ['node_modules/vitest/vitest.mjs', 'run', '--reporter=dot', ...files]
  const child = spawn(process.execPath, args, { cwd: ROOT, stdio: ['ignore', 2, 2] })
  const [code] = await once(child, 'exit')
  return { name, isGood: code === 0, text: tries }
}

/** `pnpm adversarial [suite…]`: attacks on the real parts, and what the project stands on. */
async function main(asked: readonly string[]): Promise<boolean> {
  const unknown = asked.filter((name) => !NAMES.includes(name))
  if (unknown.length > 0) throw new Error(`no such suite: ${unknown.join(', ')}; there are ${NAMES.join(', ')}`)
  const isAsked = (name: string): boolean => asked.length === 0 || asked.includes(name)
  const findings: Finding[] = []
  for (const suite of SUITES.filter(({ name }) => isAsked(name))) findings.push(await runSuite(suite))
  if (isAsked('supplies')) findings.push(...(await checkSupplies(ROOT, resolve(ROOT, 'adversarial/results'))))
  for (const { name, isGood, text } of findings) console.log(`${isGood ? 'good' : 'BAD '}  ${name.padEnd(9)} ${text}`)
  return findings.every(({ isGood }) => isGood)
}

main(process.argv.slice(2)).then(
  (isGood) => process.exit(isGood ? 0 : 1),
  (error: unknown) => {
    console.error(error instanceof Error ? error.message : error)
    process.exit(1)
  },
)
