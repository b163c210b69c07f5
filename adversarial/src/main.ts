import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { resolve } from 'node:path'
import { AdversarialError } from './adversarial-error.ts'
import { checkSupplies } from './check-supplies.ts'
import { exitCodeOf, type Finding, renderFindings } from './finding.ts'
import { readOptions, usage } from './read-options.ts'
import { SUITES, type Suite } from './suites.ts'

const ROOT = resolve(import.meta.dirname, '../..')
const RESULTS = resolve(ROOT, 'adversarial/results')

/** Runs a script of the repository; what it says goes to stderr, so that stdout is the result alone. */
async function runScript(...args: string[]): Promise<boolean> {
  const child = spawn(process.execPath, args, { cwd: ROOT, stdio: ['ignore', 2, 2] })
  const [code] = await once(child, 'exit')
  return code === 0
}

/** Runs the test files of a suite as `pnpm test` would. */
async function runSuite({ name, tries, files }: Suite): Promise<Finding> {
  console.error(`${name}: ${tries}`)
  const isGood = await runScript('node_modules/vitest/vitest.mjs', 'run', '--reporter=dot', ...files)
  return { name, verdict: isGood ? 'good' : 'bad', text: tries }
}

/** `pnpm adversarial [suite…]`: attacks on the real parts, and what the project stands on. @returns the exit code */
async function main(): Promise<number> {
  const options = readOptions(process.argv.slice(2), SUITES)
  if (options.help) {
    console.log(usage(SUITES))
    return 0
  }
  if (!(await runScript('infra/local-stack/src/prepare.ts'))) throw new AdversarialError('The servers are not at hand.')
  const findings: Finding[] = []
  for (const suite of SUITES.filter(({ name }) => options.names.includes(name))) findings.push(await runSuite(suite))
  if (options.names.includes('supplies')) findings.push(...(await checkSupplies(ROOT, RESULTS)))
  console.log(renderFindings(findings))
  return exitCodeOf(findings)
}

main().then(
  (code) => process.exit(code),
  (error: unknown) => {
    console.error(error instanceof AdversarialError ? error.message : error)
    process.exit(1)
  },
)
