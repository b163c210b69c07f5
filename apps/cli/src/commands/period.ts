import type { RpcRow } from '@tollgate/shared/store'
import type { Command } from 'commander'
import type { CommandIo } from '../command-io.ts'
import { formatCount, formatTable } from '../demo/format.ts'
import { EXIT } from '../operator/cli-error.ts'
import type { OperatorFlags } from '../operator/open-operator.ts'
import { readDate, readUuid } from '../operator/read-option.ts'
import { addOperatorOptions, type CommandResult, runOperator } from '../operator/run-operator.ts'

interface CloseFlags extends OperatorFlags {
  readonly organization: string
  readonly at: string
}
type ListFlags = OperatorFlags & { readonly organization?: string }

const SAID: Record<RpcRow<'close_period'>['outcome'], string> = {
  closed: 'closed; the statement is frozen',
  already_closed: 'closed already; the statement is as it was',
  not_over: 'not over, or not for a minute yet; nothing was closed',
  no_usage: 'without any usage; nothing was closed',
}

function describe(
  row: Pick<RpcRow<'close_period'>, 'used_tokens' | 'cost_usd' | 'charge_usd' | 'unpriced_events'>,
): string {
  const unpriced = row.unpriced_events === '0' ? '' : `, ${row.unpriced_events} events unpriced`
  return `${formatCount(BigInt(row.used_tokens ?? 0))} LLM tokens, cost ${row.cost_usd} USD, charge ${row.charge_usd} USD${unpriced}`
}

async function close(flags: CloseFlags, io: CommandIo): Promise<void> {
  await runOperator(flags, io, async ({ rpc }): Promise<CommandResult> => {
    // Noon: the same day in nearly every time zone.
    const request = { organization_id: flags.organization, at: `${flags.at}T12:00:00Z`, closed_by: 'cli' }
    const [row] = await rpc('close_period', { request })
    await rpc('complete_statements', { for_organization: flags.organization })
    if (!row) return { document: null, text: 'No such organization.', exitCode: EXIT.found }
    const isClosed = row.outcome === 'closed' || row.outcome === 'already_closed'
    const said = `The period from ${row.period_start} to ${row.period_end} is ${SAID[row.outcome]}.`
    const text = isClosed ? `${said}\n${describe(row)}` : said
    return { document: row, text, exitCode: isClosed ? EXIT.done : EXIT.found }
  })
}

async function list(flags: ListFlags, io: CommandIo): Promise<void> {
  await runOperator(flags, io, async ({ rpc }): Promise<CommandResult> => {
    const statements = await rpc('list_statements', { for_organization: flags.organization })
    const head = ['Organization', 'From', 'To', 'LLM tokens', 'Cost in USD', 'Charge in USD', 'Closed']
    const rows = statements.map((row) => [
      row.organization_id,
      row.period_start,
      row.period_end,
      formatCount(BigInt(row.used_tokens ?? 0)),
      row.cost_usd ?? '',
      row.charge_usd ?? '',
      row.closed_at.slice(0, 10),
    ])
    const text =
      rows.length === 0 ? 'No period is closed.' : formatTable([head, ...rows], new Set([3, 4, 5])).join('\n')
    return { document: statements, text }
  })
}

/** Adds `tollgate period close|list`: frozen statements. */
export function addPeriodCommand(program: Command, io: CommandIo): void {
  const group = program.command('period').description('close billing periods and show their statements')
  addOperatorOptions(group.command('close'))
    .description('freeze the statement of a period that is over; what comes later posts to the open period')
    .requiredOption('--organization <id>', 'whose period', readUuid)
    .requiredOption('--at <date>', 'any day of the period', readDate)
    .action((flags: CloseFlags) => close(flags, io))
  addOperatorOptions(group.command('list'))
    .description('show the statements of closed periods')
    .option('--organization <id>', 'only this one', readUuid)
    .action((flags: ListFlags) => list(flags, io))
}
