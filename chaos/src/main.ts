import { randomInt } from 'node:crypto'
import { StackError } from '@tollgate/local-stack'
import { ChaosError } from './chaos-error.ts'
import { readOptions, USAGE } from './read-options.ts'
import { renderMarkdown } from './report/render-markdown.ts'
import { runChaos } from './run-chaos.ts'
import { describeFault } from './schedule/fault.ts'
import { planSchedule } from './schedule/plan-schedule.ts'

const MAX_DRAWN_SEED = 1_000_000
const abort = new AbortController()

/** Runs what was asked for; an interrupt takes the stack down. @returns the exit code */
async function chaos(): Promise<number> {
  const options = readOptions(process.argv.slice(2), () => randomInt(MAX_DRAWN_SEED))
  if (options.help) console.log(USAGE)
  else if (options.plan) {
    const { seed, minutes, privileged, json } = options
    const faults = planSchedule({ seed, seconds: minutes * 60, privileged })
    console.log(json ? JSON.stringify(faults, null, 2) : faults.map(describeFault).join('\n'))
  } else {
    // What is going on goes to stderr, so that stdout is the result alone.
    const log = (line: string): void => console.error(line)
    const result = await runChaos(options, { signal: abort.signal, log, now: Date.now, durable: true })
    console.log(options.json ? JSON.stringify(result, null, 2) : renderMarkdown(result))
    if (!result.isGood) console.error(`Failed. The same schedule again: ${result.command}`)
    return result.isGood ? 0 : 1
  }
  return 0
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => abort.abort())

chaos().then(
  (code) => process.exit(code),
  (error: unknown) => {
    console.error(error instanceof ChaosError || error instanceof StackError ? error.message : error)
    process.exit(1)
  },
)
