import { parseArgs } from 'node:util'
import { ChaosError } from './chaos-error.ts'

/** What was asked for on the command line. */
export interface ChaosOptions {
  readonly seed: number
  /** How long faults are begun. */
  readonly minutes: number
  /** Also what needs root. */
  readonly privileged: boolean
  /** Print JSON instead of Markdown, or of the schedule's lines. */
  readonly json: boolean
  /** Print the schedule and do nothing. */
  readonly plan: boolean
  readonly help: boolean
}

const MAX_MINUTES = 24 * 60
const MAX_SEED = 2 ** 32 - 1

/** How it is used. */
export const USAGE = `Usage: chaos [--seed N] [--minutes M] [--privileged] [--plan] [--json]
  --seed        of the fault schedule (default: drawn, and printed); the same seed, minutes and --privileged
                give the same schedule
  --minutes     how long faults are begun (5); 60 for a soak
  --privileged  also faults that need root on Linux: full disks, power loss, packets lost
  --plan        print the schedule and do nothing
  --json        print the result as JSON instead of Markdown; with --plan, the schedule`

/** Reads the command line; `drawSeed` is asked when none is given. @throws ChaosError for what it does not understand */
export function readOptions(args: readonly string[], drawSeed: () => number): ChaosOptions {
  const values = parse(args)
  const seed = values.seed === undefined ? drawSeed() : Number(values.seed)
  if (!(Number.isInteger(seed) && seed >= 0 && seed <= MAX_SEED)) {
    throw new ChaosError(`--seed must be a whole number from 0 to ${MAX_SEED}.`)
  }
  const minutes = Number(values.minutes)
  if (!(minutes > 0 && minutes <= MAX_MINUTES)) {
    throw new ChaosError(`--minutes must be above 0, at most ${MAX_MINUTES}.`)
  }
  const { privileged, json, plan, help } = values
  return { seed, minutes, privileged, json, plan, help }
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      // `pnpm chaos -- --json` hands the two dashes on.
      args: args.filter((arg) => arg !== '--'),
      options: {
        seed: { type: 'string' },
        minutes: { type: 'string', default: '5' },
        privileged: { type: 'boolean', default: false },
        json: { type: 'boolean', default: false },
        plan: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    }).values
  } catch (cause) {
    throw new ChaosError(`${cause instanceof Error ? cause.message : cause}\n${USAGE}`, { cause })
  }
}
