import type { Command } from 'commander'
import type { CommandIo } from '../command-io.ts'
import { formatCount } from '../demo/format.ts'
import { CliError, EXIT } from '../operator/cli-error.ts'
import type { OperatorFlags } from '../operator/open-operator.ts'
import { readUuid } from '../operator/read-option.ts'
import { addOperatorOptions, type CommandResult, runOperator } from '../operator/run-operator.ts'

type EraseFlags = OperatorFlags & { readonly yes?: boolean }

async function eraseUser(userId: string, flags: EraseFlags, io: CommandIo): Promise<void> {
  if (!flags.yes) throw new CliError('This cannot be undone. Say --yes to erase the user.', EXIT.misused)
  await runOperator(flags, io, async ({ rpc }): Promise<CommandResult> => {
    const [row] = await rpc('erase_user', { request: { user_id: userId, actor: 'cli' } })
    if (!row?.pseudonym) return { document: row ?? null, text: 'The books do not know this user.' }
    const text = `${formatCount(row.entries)} entries, ${formatCount(row.days)} days, ${formatCount(row.sessions)} chat sessions and ${formatCount(row.logins)} logins now belong to ${row.pseudonym}. No total has changed.`
    return { document: row, text }
  })
}

/** Adds `tollgate erase-user`: takes a person out of the books and keeps every total. */
export function addEraseUserCommand(program: Command, io: CommandIo): void {
  addOperatorOptions(program.command('erase-user'))
    .argument('<user id>', 'as in profiles', readUuid)
    .description('put a random id in place of a user in ledger, rollups, sessions and logins; every total stays')
    .option('--yes', 'really do it')
    .action((userId: string, flags: EraseFlags) => eraseUser(userId, flags, io))
}
