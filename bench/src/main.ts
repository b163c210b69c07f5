import { resolve } from 'node:path'
import { StackError } from '@tollgate/local-stack'
import { BenchError } from './bench-error.ts'
import { readOptions, usage } from './read-options.ts'
import { renderMarkdown } from './report/render-markdown.ts'
import { runBench } from './run-bench.ts'
import { SCENARIOS } from './scenarios/index.ts'
import { reports } from './scenarios/reports.ts'
import { openBenchStack } from './stack/open-bench-stack.ts'
import { untilAborted } from './until-aborted.ts'
import { writeRatios, writeResults } from './write-results.ts'

const RESULTS = resolve(import.meta.dirname, '../results')
const README = resolve(import.meta.dirname, '../../README.md')
const abort = new AbortController()
// What is going on goes to stderr, so that stdout is the result alone.
const log = (line: string): void => console.error(line)

/** Runs what was asked for; an interrupt takes the stack down and leaves no result. */
async function bench(): Promise<void> {
  const names = SCENARIOS.map(({ name }) => name)
  const options = readOptions(process.argv.slice(2), names)
  if (options.help) return console.log(usage(names))
  const chosen = SCENARIOS.filter(({ name }) => options.names.includes(name))
  const opened = openBenchStack(abort.signal, log, { dashboard: chosen.includes(reports) })
  const stack = await opened.catch((cause: unknown) => {
    throw abort.signal.aborted ? new BenchError('Interrupted.', { cause }) : cause
  })
  const interrupted = untilAborted(abort.signal).then(() => Promise.reject(new BenchError('Interrupted.')))
  try {
    const result = await Promise.race([interrupted, runBench(stack, chosen, options, log)])
    writeResults(RESULTS, result)
    if (options.readme) writeRatios(README, result)
    console.log(options.json ? JSON.stringify(result, null, 2) : renderMarkdown(result))
  } finally {
    await stack.stop()
  }
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => abort.abort())

bench().then(
  () => process.exit(0),
  (error: unknown) => {
    console.error(error instanceof BenchError || error instanceof StackError ? error.message : error)
    process.exit(1)
  },
)
