import { join } from 'node:path'
import { stackPaths } from '@tollgate/local-stack'
import { type Command, InvalidArgumentError } from 'commander'
import type { CommandIo } from '../command-io.ts'
import { DEFAULT_SEED } from '../demo/assign.ts'
import { toJson } from '../demo/demo-result.ts'
import { printReport } from '../demo/print-report.ts'
import { runDemo } from '../demo/run-demo.ts'
import { createBar, createLines, type ProgressView } from '../demo/show-progress.ts'
import { openStack } from '../open-stack.ts'

interface DemoFlags {
  readonly short?: boolean
  readonly json?: boolean
  readonly seed: number
  readonly days?: number
  readonly baseUrl?: string
  readonly dir?: string
}

/** Requests of a short replay: enough for each of the three stories. */
const SHORT_REQUESTS = 3_000

function readSeed(text: string): number {
  const seed = Number(text)
  if (!/^\d+$/.test(text) || seed > 0xffff_ffff) throw new InvalidArgumentError('a whole number below 2^32 is needed.')
  return seed
}

function readDays(text: string): number {
  const days = Number(text)
  if (!/^\d+$/.test(text) || days < 1 || days > 31) throw new InvalidArgumentError('1 to 31 days are needed.')
  return days
}

function readUrl(text: string): string {
  if (!URL.canParse(text)) throw new InvalidArgumentError('an http:// or https:// address is needed.')
  return text
}

function createView(flags: DemoFlags, { stdout, stderr, env }: CommandIo): ProgressView {
  // With --json stdout holds one document and nothing else.
  const out = flags.json ? stderr : stdout
  const isPlain = flags.json || !out.isTTY || (env.NO_COLOR ?? '') !== ''
  return isPlain ? createLines((line) => out.write(`${line}\n`)) : createBar(out)
}

async function demo(flags: DemoFlags, io: CommandIo): Promise<void> {
  const view = createView(flags, io)
  const note = (text: string): void => view.show({ kind: 'note', text })
  const { stack, close, killAll } = await openStack({ dir: flags.dir, log: note, env: io.env, signal: io.signal })
  io.onKill(killAll)
  try {
    const result = await runDemo({
      stack: { ...stack, tokenApi: flags.baseUrl ?? stack.tokenApi },
      windowFile: join(stackPaths(flags.dir).dir, 'demo.json'),
      seed: flags.seed,
      days: flags.days,
      requests: flags.short ? SHORT_REQUESTS : undefined,
      fitLimits: flags.short,
      signal: io.signal,
      onProgress: view.show,
    })
    view.close()
    io.stdout.write(`${flags.json ? toJson(result) : printReport(result)}\n`)
    io.setExitCode(result.ok ? 0 : 1)
  } finally {
    view.close()
    await close()
  }
}

/** Adds `tollgate demo`: replays a real usage trace and compares every figure. */
export function addDemoCommand(program: Command, io: CommandIo): void {
  program
    .command('demo')
    .description(
      'replay 19,366 real LLM requests through a running stack (or one started for it) and compare every figure',
    )
    .option(
      '--short',
      `replay the first ${SHORT_REQUESTS.toLocaleString('en-US')} requests only, with limits set to fit for that time`,
    )
    .option('--json', 'print one JSON document on stdout; progress goes to stderr')
    .option(
      '--seed <number>',
      'assign organizations, users, sessions and models by another seed',
      readSeed,
      DEFAULT_SEED,
    )
    .option(
      '--days <number>',
      'lay the hour over so many last days of this month, for a dashboard of many days',
      readDays,
    )
    .option('--base-url <url>', 'token API to use instead of the one in stack.json', readUrl)
    .option('--dir <directory>', "the stack's directory (default: .tollgate in the repository)")
    .action((flags: DemoFlags) => demo(flags, io))
}
