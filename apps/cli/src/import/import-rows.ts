import type { Rpc } from '@tollgate/shared/store'
import type { RowReader } from './read-rows.ts'
import { type RowMapping, type RowResult, toEvent } from './to-event.ts'

/** What an import came to; with `dryRun`: would come to. */
export interface ImportTotals {
  rows: number
  recorded: number
  duplicates: number
  /** Duplicates whose counts, user, session or model differ from what was counted. */
  conflicts: number
  unpriced: number
  rejected: number
  /** The first rejected rows, by their number in the file, with the reason. */
  faults: { row: number; reason: string }[]
}

/** What an import stands on. */
export interface ImportOptions {
  readonly rpc: Rpc
  readonly reader: RowReader
  readonly mapping: RowMapping
  readonly dryRun: boolean
  /** Rows at the beginning that are left out. */
  readonly skip: number
  readonly now: () => number
  /** Called after each transaction; may throw to stop. */
  readonly onBatch: (totals: ImportTotals) => void
}

const ROWS_AT_A_TIME = 500
// Rows of old months wait in the default partition of the ledger; moving few at a time keeps others from waiting.
const BATCHES_PER_PARTITION_ROUND = 20
const FAULTS_KEPT = 1_000

/** Imports rows, 500 a transaction. Repeatable: a row that was recorded is a duplicate. */
export async function importRows(options: ImportOptions): Promise<ImportTotals> {
  const { rpc, reader, dryRun } = options
  const totals: ImportTotals = {
    rows: 0,
    recorded: 0,
    duplicates: 0,
    conflicts: 0,
    unpriced: 0,
    rejected: 0,
    faults: [],
  }
  let batch: { row: number; event: Record<string, unknown> }[] = []
  let batches = 0
  let number = 0
  const flush = async (): Promise<void> => {
    if (batch.length > 0) await record(batch, options, totals)
    batch = []
    if (!dryRun && batches++ % BATCHES_PER_PARTITION_ROUND === 0) await rpc('ensure_usage_partitions', {})
    options.onBatch(totals)
  }
  for await (const row of reader.rows) {
    number += 1
    if (number <= options.skip) continue
    totals.rows += 1
    const receivedAt = new Date(options.now()).toISOString()
    const result: RowResult = row ? toEvent(row, number, options.mapping, receivedAt) : { fault: 'no JSON object' }
    if ('fault' in result) reject(totals, number, result.fault)
    else batch.push({ row: number, event: result.event })
    if (batch.length >= ROWS_AT_A_TIME) await flush()
  }
  await flush()
  if (!dryRun) await rpc('ensure_usage_partitions', {})
  return totals
}

async function record(
  batch: readonly { row: number; event: Record<string, unknown> }[],
  { rpc, dryRun }: ImportOptions,
  totals: ImportTotals,
): Promise<void> {
  const events = batch.map(({ event }) => event)
  const [result] = await rpc('import_usage', { batch: { events, dry_run: dryRun } })
  if (!result) throw new Error('import_usage returned no row')
  totals.recorded += result.recorded
  totals.duplicates += result.duplicates
  totals.conflicts += result.conflicts
  totals.unpriced += result.unpriced
  for (const { i, reason } of result.rejected) reject(totals, batch[i]?.row ?? 0, reason)
}

function reject(totals: ImportTotals, row: number, reason: string): void {
  totals.rejected += 1
  if (totals.faults.length < FAULTS_KEPT) totals.faults.push({ row, reason })
}
