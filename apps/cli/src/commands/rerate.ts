import type { Rpc, RpcRow } from '@tollgate/shared/store'
import type { Command } from 'commander'
import type { CommandIo } from '../command-io.ts'
import { formatCount, formatTable } from '../demo/format.ts'
import { addDecimals } from '../operator/add-decimals.ts'
import type { OperatorFlags } from '../operator/open-operator.ts'
import { readDate, readUuid } from '../operator/read-option.ts'
import { addOperatorOptions, type CommandResult, runOperator, throwIfStopped } from '../operator/run-operator.ts'
import { createProgress } from '../operator/show-progress.ts'

interface RerateFlags extends OperatorFlags {
  readonly from: string
  readonly to: string
  readonly model?: string
  readonly organization?: string
  readonly dryRun?: boolean
}

type Day = RpcRow<'list_rerate_days'>
type Difference = RpcRow<'rerate_usage'> & { organization_id: string; date: string }

/** Entries that one transaction re-rates at most, about. */
const ENTRIES_AT_A_TIME = 2_000

/** Goes through the days once and gives what differs (`dryRun`), or what was posted. */
async function pass(days: readonly Day[], rpc: Rpc, flags: RerateFlags, dryRun: boolean, io: CommandIo) {
  const total = days.reduce((sum, day) => sum + day.entries, 0)
  const progress = createProgress(io, dryRun ? 'entries compared' : 'entries re-rated')
  const found: Difference[] = []
  let done = 0
  try {
    for (const { organization_id, date, entries } of days) {
      const buckets = Math.min(256, Math.ceil(entries / ENTRIES_AT_A_TIME))
      for (let bucket = 0; bucket < buckets; bucket++) {
        throwIfStopped(io, 'What is posted stands; the same command goes on with the rest.')
        const request = { organization_id, date, bucket, buckets, model: flags.model, dry_run: dryRun }
        const rows = await rpc('rerate_usage', { request })
        found.push(...rows.map((row) => ({ organization_id, date, ...row })))
      }
      done += entries
      progress.show({ done, total, note: `${formatCount(found.reduce((sum, row) => sum + row.events, 0))} differ` })
    }
  } finally {
    progress.close()
  }
  return mergeBuckets(found)
}

function mergeBuckets(found: readonly Difference[]): Difference[] {
  const merged = new Map<string, Difference>()
  for (const row of found) {
    const key = `${row.organization_id} ${row.date} ${row.model}`
    const known = merged.get(key)
    if (!known) merged.set(key, row)
    else
      merged.set(key, {
        ...known,
        events: known.events + row.events,
        newly_priced: known.newly_priced + row.newly_priced,
        cost_difference: addDecimals(known.cost_difference, row.cost_difference),
        charge_difference: addDecimals(known.charge_difference, row.charge_difference),
      })
  }
  return [...merged.values()]
}

function table(rows: readonly Difference[]): string[] {
  const head = ['Organization', 'Day', 'Model', 'Events', 'Newly priced', 'Cost in USD', 'Charge in USD']
  const lines = rows.map((row) => [
    row.organization_id,
    row.date,
    row.model,
    formatCount(row.events),
    formatCount(row.newly_priced),
    row.cost_difference,
    row.charge_difference,
  ])
  return formatTable([head, ...lines], new Set([3, 4, 5, 6]))
}

async function rerate(flags: RerateFlags, io: CommandIo): Promise<void> {
  await runOperator(flags, io, async ({ rpc }): Promise<CommandResult> => {
    const { from: from_date, to: to_date, model: only_model, organization: only_organization } = flags
    const days = await rpc('list_rerate_days', { from_date, to_date, only_model, only_organization })
    const differences = await pass(days, rpc, flags, true, io)
    if (differences.length === 0)
      return { document: { differences, posted: [] }, text: 'All usage has the price in force.' }
    const shown = ['The difference to what is posted:', ...table(differences)]
    if (flags.dryRun)
      return { document: { differences, posted: [] }, text: [...shown, 'Nothing was posted.'].join('\n') }
    // The difference is shown before anything is posted, also where the posting takes long.
    io.stderr.write(`${shown.join('\n')}\n`)
    const touched = new Set(differences.map((row) => `${row.organization_id} ${row.date}`))
    const due = days.filter((day) => touched.has(`${day.organization_id} ${day.date}`))
    const posted = await pass(due, rpc, flags, false, io)
    const events = posted.reduce((sum, row) => sum + row.events, 0)
    const cost = posted.reduce((sum, row) => addDecimals(sum, row.cost_difference), '0')
    return { document: { differences, posted }, text: `${formatCount(events)} entries posted: ${cost} USD of cost.` }
  })
}

/** Adds `tollgate rerate`: prices usage again and posts the difference. */
export function addRerateCommand(program: Command, io: CommandIo): void {
  addOperatorOptions(program.command('rerate'))
    .description('price usage by the price book as it is now: show the difference, then post adjusting entries')
    .requiredOption('--from <date>', "first day, in each organization's time zone", readDate)
    .requiredOption('--to <date>', 'last day', readDate)
    .option('--model <name>', 'only usage of this model, as it was reported')
    .option('--organization <id>', 'only this one', readUuid)
    .option('--dry-run', 'only show the difference')
    .action((flags: RerateFlags) => rerate(flags, io))
}
