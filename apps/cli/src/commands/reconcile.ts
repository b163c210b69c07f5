import type { BooksDrift, BooksScan, Rpc, RpcRow } from '@tollgate/shared/store'
import type { Command } from 'commander'
import type { CommandIo } from '../command-io.ts'
import { formatCount, formatTable } from '../demo/format.ts'
import { EXIT } from '../operator/cli-error.ts'
import type { OperatorFlags } from '../operator/open-operator.ts'
import { readDate, readUuid } from '../operator/read-option.ts'
import { addOperatorOptions, type CommandResult, runOperator, throwIfStopped } from '../operator/run-operator.ts'
import { createProgress } from '../operator/show-progress.ts'

interface ReconcileFlags extends OperatorFlags {
  readonly organization?: string
  readonly since?: string
  readonly report?: boolean
}

const SLICE_BUDGET_MS = 200
const BUSY_PAUSE_MS = 1_000
const SHOWN_ROWS = 50

/** Goes through the books once; `onSlices` is told how many slices are done. */
async function scanBooks(rpc: Rpc, from: BooksScan, onSlices: (slices: number, drift: number) => void) {
  const drift: BooksDrift[] = []
  let slices = 0
  let scan: BooksScan | null = from
  while (scan !== null) {
    const [step]: RpcRow<'reconcile_books'>[] = await rpc('reconcile_books', { scan })
    if (!step) break
    slices += step.slices
    drift.push(...step.drift)
    onSlices(slices, drift.length)
    if (step.busy) await new Promise((resolve) => setTimeout(resolve, BUSY_PAUSE_MS))
    else scan = step.resume
  }
  return { slices, drift }
}

async function reconcile(flags: ReconcileFlags, io: CommandIo): Promise<void> {
  const progress = createProgress(io, 'slices')
  await runOperator(flags, io, async ({ rpc }): Promise<CommandResult> => {
    const [size] = await rpc('count_slices', { only_organization: flags.organization, since: flags.since })
    const total = size?.slices ?? 0
    const scan = { since: flags.since, only_organization: flags.organization, repair: !flags.report }
    const found = await scanBooks(rpc, { ...scan, budget_ms: SLICE_BUDGET_MS }, (slices, drift) => {
      progress.show({ done: Math.min(slices, total), total, note: `${formatCount(drift)} rows off` })
      throwIfStopped(io, 'What was off until here is put right; run it again for the rest.')
    }).finally(progress.close)
    return { document: { ...found, repaired: !flags.report }, ...describe(found, flags) }
  })
}

function describe(
  { slices, drift }: { slices: number; drift: BooksDrift[] },
  { report }: ReconcileFlags,
): { text: string; exitCode: number } {
  if (drift.length === 0) {
    return {
      text: `${formatCount(slices)} slices compared: every rollup is the sum of the ledger.`,
      exitCode: EXIT.done,
    }
  }
  const rows = drift
    .slice(0, SHOWN_ROWS)
    .map((row) => [
      row.rollup,
      row.organization_id,
      row.at,
      [row.user_id, row.model, row.session_id].filter(Boolean).join(' '),
      row.tokens_off,
      row.cost_off,
    ])
  const head = ['Rollup', 'Organization', 'Day or period', 'Row', 'LLM tokens missing', 'USD missing']
  const more =
    drift.length > SHOWN_ROWS ? [`… and ${formatCount(drift.length - SHOWN_ROWS)} more (--json has all)`] : []
  const end = `${formatCount(drift.length)} rows were off${report ? '' : '; they are recomputed'}.`
  return { text: [...formatTable([head, ...rows], new Set([4, 5])), ...more, end].join('\n'), exitCode: EXIT.found }
}

/** Adds `tollgate reconcile`: proves every rollup by the ledger. */
export function addReconcileCommand(program: Command, io: CommandIo): void {
  addOperatorOptions(program.command('reconcile'))
    .description('recompute every rollup, session and period total from the ledger; report and repair what is off')
    .option('--organization <id>', 'only this one', readUuid)
    .option('--since <date>', 'only days from this one on', readDate)
    .option('--report', 'report only')
    .action((flags: ReconcileFlags) => reconcile(flags, io))
}
