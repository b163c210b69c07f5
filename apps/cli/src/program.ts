import { Command } from 'commander'
import type { CommandIo } from './command-io.ts'
import { addDeadLettersCommand } from './commands/dead-letters.ts'
import { addDemoCommand } from './commands/demo.ts'
import { addEnforcementCommand } from './commands/enforcement.ts'
import { addEraseUserCommand } from './commands/erase-user.ts'
import { addExportCommand } from './commands/export.ts'
import { addGrantsCommand } from './commands/grants.ts'
import { addImportCommand } from './commands/import.ts'
import { addKeysCommand } from './commands/keys.ts'
import { addMarkupCommand } from './commands/markup.ts'
import { addPeriodCommand } from './commands/period.ts'
import { addPlansCommand } from './commands/plans.ts'
import { addPricesCommand } from './commands/prices.ts'
import { addQuotaCommand } from './commands/quota.ts'
import { addReconcileCommand } from './commands/reconcile.ts'
import { addRerateCommand } from './commands/rerate.ts'
import { addOperatorOptions } from './operator/run-operator.ts'

/** The operator's command. A new subcommand is a file in commands/ and a line here. */
export function createProgram(io: CommandIo): Command {
  const program = new Command('tollgate')
    .description('Org-scoped tokens, exactly-once LLM usage metering and quota enforcement')
    .showHelpAfterError()
    .exitOverride()
    .enablePositionalOptions()
  addOperatorOptions(program).hook('preAction', passOptions)
  addDemoCommand(program, io)
  addDeadLettersCommand(program, io)
  addKeysCommand(program, io)
  addReconcileCommand(program, io)
  addRerateCommand(program, io)
  addPricesCommand(program, io)
  addPeriodCommand(program, io)
  addImportCommand(program, io)
  addExportCommand(program, io)
  addEraseUserCommand(program, io)
  addEnforcementCommand(program, io)
  addQuotaCommand(program, io)
  addPlansCommand(program, io)
  addMarkupCommand(program, io)
  addGrantsCommand(program, io)
  return program
}

/** What every command takes may stand before its name, too; what stands behind it wins. */
function passOptions(program: Command, command: Command): void {
  for (const [name, value] of Object.entries(program.opts())) {
    if (command.getOptionValue(name) === undefined) command.setOptionValue(name, value)
  }
}
