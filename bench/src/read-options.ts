import { parseArgs } from 'node:util'
import { BenchError } from './bench-error.ts'

/** What was asked for on the command line. */
export interface BenchOptions {
  /** Scenarios to run, in the order of the catalog; all when none was named. */
  readonly names: readonly string[]
  /** Print JSON instead of tables. */
  readonly json: boolean
  /** Put the table of ratios into the README. */
  readonly readme: boolean
  /** Length of a measurement. */
  readonly seconds: number
  /** Measurements of each contender. */
  readonly rounds: number
  /** Rows that the scenario ledger-size fills the ledger with. */
  readonly rows: number
  readonly help: boolean
}

const MAX_SECONDS = 20
const MAX_ROUNDS = 50
const MAX_ROWS = 1_000_000_000

/** Says how the bench is used. */
export function usage(scenarios: readonly string[]): string {
  return `Usage: bench [name…] [--json] [--readme] [--seconds N] [--rounds N] [--rows N]
  name       ${scenarios.join(', ')} (default: all)
  --json     print JSON instead of tables
  --readme   put the table of ratios into the README: of all scenarios, at their usual length
  --seconds  length of each measurement (3); of plain requests two thirds of it
  --rounds   measurements of each contender, taken in turn (3)
  --rows     rows in the ledger for ledger-size (10000000, which takes some minutes to fill)`
}

/** Reads the command line. @throws BenchError for what it does not understand */
export function readOptions(args: readonly string[], scenarios: readonly string[]): BenchOptions {
  const { values, positionals } = parse(args, scenarios)
  const unknown = positionals.filter((name) => !scenarios.includes(name))
  if (unknown.length > 0) throw new BenchError(`There is no scenario ${unknown.join(', ')}.\n${usage(scenarios)}`)
  const seconds = Number(values.seconds)
  if (!(seconds > 0 && seconds <= MAX_SECONDS)) {
    throw new BenchError(`--seconds must be above 0, at most ${MAX_SECONDS}.`)
  }
  const rounds = Number(values.rounds)
  if (!(Number.isInteger(rounds) && rounds >= 1 && rounds <= MAX_ROUNDS)) {
    throw new BenchError(`--rounds must be a whole number from 1 to ${MAX_ROUNDS}.`)
  }
  const rows = Number(values.rows)
  if (!(Number.isInteger(rows) && rows >= 1 && rows <= MAX_ROWS)) {
    throw new BenchError(`--rows must be a whole number from 1 to ${MAX_ROWS}.`)
  }
  if (values.readme && args.some((arg) => !['--', '--readme', '--json'].includes(arg))) {
    throw new BenchError('--readme takes the whole bench: no names, no --seconds, --rounds or --rows.')
  }
  const names = scenarios.filter((name) => positionals.length === 0 || positionals.includes(name))
  return { names, json: values.json, readme: values.readme, seconds, rounds, rows, help: values.help }
}

function parse(args: readonly string[], scenarios: readonly string[]) {
  try {
    return parseArgs({
      // `pnpm bench -- --json` hands the two dashes on.
      args: args.filter((arg) => arg !== '--'),
      allowPositionals: true,
      options: {
        json: { type: 'boolean', default: false },
        readme: { type: 'boolean', default: false },
        seconds: { type: 'string', default: '3' },
        rounds: { type: 'string', default: '3' },
        rows: { type: 'string', default: '10000000' },
        help: { type: 'boolean', short: 'h', default: false },
      },
    })
  } catch (cause) {
    throw new BenchError(`${cause instanceof Error ? cause.message : cause}\n${usage(scenarios)}`, { cause })
  }
}
