import type { QuotaPolicy } from '@tollgate/shared/contracts'
import type { RpcRow } from '@tollgate/shared/store'
import type { Command } from 'commander'
import type { CommandIo } from '../command-io.ts'
import { formatCount, formatTable } from '../demo/format.ts'
import { CliError, EXIT } from '../operator/cli-error.ts'
import type { OperatorFlags } from '../operator/open-operator.ts'
import { type Limit, readLimit, readPolicyFile } from '../operator/read-policy.ts'
import { addOperatorOptions, type CommandResult, runOperator } from '../operator/run-operator.ts'

interface SetFlags extends OperatorFlags {
  readonly limit?: Limit
  readonly policy?: string
  readonly actor: string
  readonly new?: boolean
}

/** Sets limit and ladder of a plan; what is not given stays as it is. */
async function setPlan(plan_type: string, flags: SetFlags, io: CommandIo): Promise<void> {
  const { limit, policy: file, actor } = flags
  if (limit === undefined && file === undefined) throw new CliError('Say --limit, --policy or both.', EXIT.misused)
  const policy = file === undefined ? undefined : await readLadder(file)
  await runOperator(flags, io, async ({ rpc }): Promise<CommandResult> => {
    const [plan] = await rpc('set_plan', {
      change: {
        ...{ plan_type, actor, is_new: flags.new ?? false },
        ...(limit && { limit: limit.tokens === null ? null : Number(limit.tokens) }),
        ...(policy !== undefined && { policy }),
      },
    })
    if (plan === undefined) {
      throw new CliError(`Nobody has the plan ${plan_type}; --new if it is meant to be one.`, EXIT.misused)
    }
    const text = `Set. It holds for ${formatCount(BigInt(plan.organizations))} organizations that have nothing of their own, within seconds.`
    return { document: plan, text }
  })
}

const readLadder = async (file: string): Promise<QuotaPolicy | null> =>
  file === 'default' ? null : readPolicyFile(file)

async function listPlans(flags: OperatorFlags, io: CommandIo): Promise<void> {
  await runOperator(flags, io, async ({ rpc }): Promise<CommandResult> => {
    const plans = await rpc('list_plans', {})
    const head = ['Plan', 'Limit', 'Ladder', 'Organizations']
    return { document: plans, text: formatTable([head, ...plans.map(describe)], new Set([1, 3])).join('\n') }
  })
}

function describe({ plan_type, limit_tokens, policy, organizations }: RpcRow<'list_plans'>): string[] {
  const limit = limit_tokens === null ? '–' : formatCount(BigInt(limit_tokens))
  return [plan_type, limit, policy === null ? 'default' : 'own', String(organizations)]
}

/** Adds `tollgate plans set|list`: what holds for organizations that have no limit or ladder of their own. */
export function addPlansCommand(program: Command, io: CommandIo): void {
  const group = program.command('plans').description('limits and ladders of plans')
  addOperatorOptions(group.command('set <plan>'))
    .description('set the monthly limit of a plan, its ladder, or both')
    .option('--limit <tokens>', 'LLM tokens a period, or `unlimited` (default: as it is)', readLimit)
    .option('--policy <file>', 'the ladder (JSON), or `default` for the default one (default: as it is)')
    .option('--actor <name>', 'who', 'operator')
    .option('--new', 'also a plan that no organization has yet')
    .action((plan: string, flags: SetFlags) => setPlan(plan, flags, io))
  addOperatorOptions(group.command('list'))
    .description('show the plans')
    .action((flags: OperatorFlags) => listPlans(flags, io))
}
