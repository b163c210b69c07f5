import type { RpcRow } from '@tollgate/shared/store'
import type { Command } from 'commander'
import type { CommandIo } from '../command-io.ts'
import { formatCount, formatTable } from '../demo/format.ts'
import { CliError, EXIT } from '../operator/cli-error.ts'
import type { OperatorFlags } from '../operator/open-operator.ts'
import { readUuid } from '../operator/read-option.ts'
import { addOperatorOptions, type CommandResult, runOperator } from '../operator/run-operator.ts'

type VoidFlags = OperatorFlags & { readonly reason: string; readonly actor: string }

async function listGrants(organization: string, flags: OperatorFlags, io: CommandIo): Promise<void> {
  await runOperator(flags, io, async ({ rpc }): Promise<CommandResult> => {
    const grants = await rpc('list_grants', { for_organization: organization })
    const head = ['Grant', 'Given', 'LLM tokens', 'Left', 'Until', 'Reason', 'By']
    const text = formatTable([head, ...grants.map(describe)], new Set([2, 3])).join('\n')
    return { document: grants, text: grants.length === 0 ? 'No grants.' : text }
  })
}

function describe(grant: RpcRow<'list_grants'>): string[] {
  const left = grant.left_tokens === null ? '–' : formatCount(BigInt(grant.left_tokens))
  const end = grant.voided_at ? 'voided' : (grant.expires_at?.slice(0, 16) ?? 'spent')
  const amount = formatCount(BigInt(grant.amount_tokens))
  return [grant.id, grant.created_at.slice(0, 16), amount, left, end, grant.reason, grant.actor]
}

/** Takes back what a grant has left. The enforcer finds the change by its sweep, within a second or two. */
async function voidGrant(organization_id: string, grant_id: string, flags: VoidFlags, io: CommandIo): Promise<void> {
  const { reason, actor } = flags
  await runOperator(flags, io, async ({ rpc }): Promise<CommandResult> => {
    const [grant] = await rpc('void_grant', { grant_void: { organization_id, grant_id, reason, actor } })
    if (grant === undefined) throw new CliError('The organization has no such grant.', EXIT.misused)
    if (grant.outcome === 'over') {
      throw new CliError('The grant is spent or has expired: nothing is left of it.', EXIT.misused)
    }
    const spent = `${formatCount(BigInt(grant.spent_tokens))} of ${formatCount(BigInt(grant.amount_tokens))}`
    const already = grant.outcome === 'repeated' ? ' before' : ''
    return { document: grant, text: `Voided${already}. It gave ${spent} LLM tokens, which stay given.` }
  })
}

/** Adds `tollgate grants list|void`. */
export function addGrantsCommand(program: Command, io: CommandIo): void {
  const group = program.command('grants').description('LLM tokens on top of monthly limits')
  addOperatorOptions(group.command('list'))
    .argument('<organization>', 'its id', readUuid)
    .description("show an organization's grants, with what they have left")
    .action((organization: string, flags: OperatorFlags) => listGrants(organization, flags, io))
  addOperatorOptions(group.command('void'))
    .argument('<organization>', 'its id', readUuid)
    .argument('<grant>', 'its id', readUuid)
    .description('take back what a grant has left')
    .requiredOption('--reason <text>', 'why')
    .option('--actor <name>', 'who', 'operator')
    .action((organization: string, grant: string, flags: VoidFlags) => voidGrant(organization, grant, flags, io))
}
