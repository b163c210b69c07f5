import type { Command } from 'commander'
import type { CommandIo } from '../command-io.ts'
import { CliError, EXIT } from './cli-error.ts'
import { type Operator, type OperatorFlags, openOperator } from './open-operator.ts'

/** Adds the options that every operator's command has. */
export function addOperatorOptions(command: Command): Command {
  return command
    .option('--json', 'print one JSON document on stdout; progress goes to stderr')
    .option(
      '--database-url <url>',
      'Postgres, as the owner of the tables (default: DATABASE_URL, else the running stack)',
    )
    .option('--dir <directory>', "the running stack's directory (default: .tollgate in the repository)")
}

/** What a command gave: a JSON document and its text for people. `exitCode` defaults to 0. */
export interface CommandResult {
  readonly document: unknown
  readonly text: string
  readonly exitCode?: number
}

/** Runs a command's work on the opened database, prints its result and closes the database. */
export async function runOperator<Flags extends OperatorFlags>(
  flags: Flags,
  io: CommandIo,
  work: (operator: Operator) => Promise<CommandResult>,
): Promise<void> {
  const operator = openOperator(flags, io.env)
  try {
    const { document, text, exitCode = EXIT.done } = await work(operator)
    io.stdout.write(`${flags.json ? JSON.stringify(document, null, 2) : text}\n`)
    io.setExitCode(exitCode)
  } finally {
    await operator.close()
  }
}

/** @throws CliError when the person has pressed Ctrl-C; called between steps that each leave whole work behind. */
export function throwIfStopped({ signal }: CommandIo, howToResume: string): void {
  if (signal.aborted) throw new CliError(`Stopped. ${howToResume}`, EXIT.interrupted)
}
