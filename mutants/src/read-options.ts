import { parseArgs } from 'node:util'
import { MutantError } from './mutation.ts'

/** What was asked for on the command line. */
export interface MutantOptions {
  /** Mutations to try, in the order of the list; all when none was named. */
  readonly names: readonly string[]
  readonly help: boolean
}

/** Says how it is used. */
export function usage(mutations: readonly { readonly name: string; readonly fault: string }[]): string {
  const width = Math.max(0, ...mutations.map(({ name }) => name.length))
  return `Usage: mutants [name…]
${mutations.map(({ name, fault }) => `  ${name.padEnd(width)}  ${fault}`).join('\n')}
Builds each fault into a copy of what is committed; the test that is named for it must fail. Without a name all of them, which
writes docs/mutants.md. Exit code 1 when one is not noticed.`
}

/** Reads the command line. @throws MutantError for what it does not understand */
export function readOptions(
  args: readonly string[],
  mutations: readonly { readonly name: string; readonly fault: string }[],
): MutantOptions {
  const { values, positionals } = parse(args, usage(mutations))
  const unknown = positionals.filter((name) => !mutations.some((mutation) => mutation.name === name))
  if (unknown.length > 0) throw new MutantError(`There is no mutation ${unknown.join(', ')}.\n${usage(mutations)}`)
  const names = mutations.map(({ name }) => name)
  return { names: names.filter((name) => positionals.length === 0 || positionals.includes(name)), help: values.help }
}

function parse(args: readonly string[], help: string) {
  try {
    return parseArgs({
      // `pnpm mutants -- name` hands the two dashes on.
      args: args.filter((arg) => arg !== '--'),
      allowPositionals: true,
      options: { help: { type: 'boolean', short: 'h', default: false } },
    })
  } catch (cause) {
    throw new MutantError(`${cause instanceof Error ? cause.message : cause}\n${help}`, { cause })
  }
}
