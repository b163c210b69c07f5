import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { judgeRun } from './judge-run.ts'
import { type Copy, makeCopy } from './make-copy.ts'
import { MutantError, type Mutation } from './mutation.ts'
import { MUTATIONS } from './mutations/index.ts'
import { readOptions, usage } from './read-options.ts'
import { renderTable, type Trial } from './render-table.ts'
import { runTests } from './run-tests.ts'
import { isCaught } from './try-mutation.ts'

const ROOT = resolve(import.meta.dirname, '../..')
const abort = new AbortController()
const { signal } = abort
const BASELINE_TIMEOUT_MS = 10 * 60_000
const MUTATION_TIMEOUT_MS = 3 * 60_000 // a minute is enough where nobody else works
const pnpm: [string, ...string[]] = ['npx', '-y', 'pnpm@12']

/** Without any fault all of the tests must pass, or their failure proves nothing. */
async function proveSound({ root }: Copy, tests: { file: string; title: string }[]): Promise<void> {
  const report = await runTests(root, tests, { timeoutMs: BASELINE_TIMEOUT_MS, signal })
  const failing = tests.filter(({ title }) => judgeRun(report, title) === 'failed')
  if (failing.length > 0)
    throw new MutantError(`fails without any fault: ${failing.map(({ title }) => title).join('; ')}`)
}

/** Servers of the tests must be at hand, or no test says anything. */
async function prepare(): Promise<void> {
  const args = [resolve(ROOT, 'infra/local-stack/src/prepare.ts')]
  const [code] = await once(spawn(process.execPath, args, { cwd: ROOT, stdio: ['ignore', 2, 2] }), 'exit')
  if (code !== 0) throw new MutantError('The servers are not at hand.')
}

async function tryAll(copy: Copy, chosen: readonly Mutation[]): Promise<Trial[]> {
  const trials: Trial[] = []
  for (const mutation of chosen) {
    const start = performance.now()
    const caught = await isCaught(mutation, copy, { timeoutMs: MUTATION_TIMEOUT_MS, signal })
    trials.push({ mutation, caught })
    const seconds = Math.round((performance.now() - start) / 1_000)
    console.error(`${caught ? 'caught    ' : 'NOT CAUGHT'} ${mutation.name} (${seconds} s)`)
  }
  return trials
}

/** `pnpm mutants [name…]`: every fault, or those named. @returns whether each was caught */
async function main(): Promise<boolean> {
  const { names, help } = readOptions(process.argv.slice(2), MUTATIONS)
  if (help) {
    console.log(usage(MUTATIONS))
    return true
  }
  const chosen = MUTATIONS.filter(({ name }) => names.includes(name))
  await prepare()
  console.error('Copying what is committed …')
  const copy = await makeCopy(ROOT, pnpm)
  try {
    const began = performance.now()
    await proveSound(
      copy,
      chosen.map(({ test }) => test),
    )
    console.error(`Sound without any fault (${Math.round((performance.now() - began) / 1_000)} s).`)
    const trials = await tryAll(copy, chosen)
    const page = renderTable(trials, new Date().toISOString().slice(0, 10))
    if (chosen.length === MUTATIONS.length) await writeFile(resolve(ROOT, 'docs/mutants.md'), page)
    console.log(page)
    return trials.every(({ caught }) => caught)
  } finally {
    await copy.remove()
  }
}

for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, () => abort.abort())

main().then(
  (isGood) => process.exit(isGood ? 0 : 1),
  (error: unknown) => {
    if (signal.aborted) console.error('Interrupted.')
    else console.error(error instanceof MutantError ? error.message : error)
    process.exit(1)
  },
)
