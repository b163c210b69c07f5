import { type Command, InvalidArgumentError } from 'commander'
import type { CommandIo } from '../command-io.ts'
import { formatTable } from '../demo/format.ts'
import { CliError, EXIT } from '../operator/cli-error.ts'
import type { OperatorFlags } from '../operator/open-operator.ts'
import { readUuid } from '../operator/read-option.ts'
import { addOperatorOptions, type CommandResult, runOperator } from '../operator/run-operator.ts'

interface SetFlags extends OperatorFlags {
  readonly organization?: string
  readonly plan?: string
  readonly actor: string
}

/** Percent on the cost, as exact text; null takes the markup away. */
function readPercent(text: string): string | null {
  if (text === 'none') return null
  const percent = /^-?\d{1,5}(\.\d{1,4})?$/.test(text) ? Number(text) : Number.NaN
  if (!(percent >= -100 && percent <= 10_000)) {
    throw new InvalidArgumentError('percent from -100 to 10000 with at most four decimals, or `none`, is needed.')
  }
  return text
}

async function setMarkup(percent: string | null, flags: SetFlags, io: CommandIo): Promise<void> {
  const { organization: organization_id, plan: plan_type, actor } = flags
  if ((organization_id === undefined) === (plan_type === undefined)) {
    throw new CliError('Say --organization or --plan.', EXIT.misused)
  }
  await runOperator(flags, io, async ({ rpc }): Promise<CommandResult> => {
    const [markup] = await rpc('set_markup', { change: { organization_id, plan_type, percent, actor } })
    if (markup === undefined) {
      throw new CliError(
        organization_id ? 'There is no such organization.' : `Nobody has the plan ${plan_type}.`,
        EXIT.misused,
      )
    }
    return {
      document: markup,
      text: 'Set. It holds for calls that are recorded from now on; what is recorded keeps its charge.',
    }
  })
}

async function listMarkups(flags: OperatorFlags, io: CommandIo): Promise<void> {
  await runOperator(flags, io, async ({ rpc }): Promise<CommandResult> => {
    const markups = await rpc('list_markups', {})
    const head = ['Of', 'Plan or organization', 'Name', 'Percent']
    const rows = markups.map(({ scope, target, name, markup_percent }) => [
      scope,
      target,
      name ?? '–',
      markup_percent ?? '–',
    ])
    const text =
      rows.length === 0 ? 'No markups: charges are costs.' : formatTable([head, ...rows], new Set([3])).join('\n')
    return { document: markups, text }
  })
}

/** Adds `tollgate markup set|list`: what organizations are charged on top of the cost. */
export function addMarkupCommand(program: Command, io: CommandIo): void {
  const group = program.command('markup').description('percent on the cost that makes the charge')
  addOperatorOptions(group.command('set'))
    .argument('<percent>', 'from -100 to 10000, such as 12.5, or `none`', readPercent)
    .description('set the markup of an organization, or of a plan for those that have none; `none` takes it away')
    .option('--organization <id>', 'of this organization alone', readUuid)
    .option('--plan <name>', 'of every organization of the plan that has no own one')
    .option('--actor <name>', 'who', 'operator')
    .action((percent: string | null, flags: SetFlags) => setMarkup(percent, flags, io))
  addOperatorOptions(group.command('list'))
    .description('show the markups that are set')
    .action((flags: OperatorFlags) => listMarkups(flags, io))
}
