import { Command } from 'commander'
import type { CommandIo } from './command-io.ts'
import { addDemoCommand } from './commands/demo.ts'

/** The operator's command. A new subcommand is a file in commands/ and a line here. */
export function createProgram(io: CommandIo): Command {
  const program = new Command('tollgate')
    .description('Org-scoped tokens, exactly-once LLM usage metering and quota enforcement')
    .showHelpAfterError()
  addDemoCommand(program, io)
  return program
}
