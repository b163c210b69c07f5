import { parseArgs } from 'node:util'
import { AdversarialError } from './adversarial-error.ts'

/** What was asked for on the command line. */
export interface AdversarialOptions {
  /** Suites to run, in the order of the catalog; all when none was named. */
  readonly names: readonly string[]
  readonly help: boolean
}

/** Says how it is used. */
export function usage(suites: readonly { readonly name: string; readonly tries: string }[]): string {
  return `Usage: adversarial [suite…]
${suites.map(({ name, tries }) => `  ${name.padEnd(9)} ${tries}`).join('\n')}
Without a suite all of them run. Exit code 1 when one is bad; what could not be asked is said and fails nothing.`
}

/** Reads the command line. @throws AdversarialError for what it does not understand */
export function readOptions(
  args: readonly string[],
  suites: readonly { readonly name: string; readonly tries: string }[],
): AdversarialOptions {
  const { values, positionals } = parse(args, usage(suites))
  const unknown = positionals.filter((name) => !suites.some((suite) => suite.name === name))
  if (unknown.length > 0) throw new AdversarialError(`There is no suite ${unknown.join(', ')}.\n${usage(suites)}`)
  const names = suites.map(({ name }) => name).filter((name) => positionals.length === 0 || positionals.includes(name))
  return { names, help: values.help }
}

function parse(args: readonly string[], help: string) {
  try {
    return parseArgs({
      // `pnpm adversarial -- tokens` hands the two dashes on.
      args: args.filter((arg) => arg !== '--'),
      allowPositionals: true,
      options: { help: { type: 'boolean', short: 'h', default: false } },
    })
  } catch (cause) {
    throw new AdversarialError(`${cause instanceof Error ? cause.message : cause}\n${help}`, { cause })
  }
}
