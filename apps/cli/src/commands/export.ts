import type { Rpc } from '@tollgate/shared/store'
import { type Command, Option } from 'commander'
import type { CommandIo } from '../command-io.ts'
import { formatCount } from '../demo/format.ts'
import { type OperatorFlags, openOperator } from '../operator/open-operator.ts'
import { type Output, openOutput } from '../operator/open-output.ts'
import { readDate, readUuid } from '../operator/read-option.ts'
import { createRowWriter, type RowFormat } from '../operator/row-writer.ts'
import { addOperatorOptions, throwIfStopped } from '../operator/run-operator.ts'
import { createProgress } from '../operator/show-progress.ts'

interface ExportFlags extends OperatorFlags {
  readonly from: string
  readonly to: string
  readonly organization?: string
  readonly format: RowFormat
  readonly out?: string
}
type What = 'ledger' | 'rollups'

const ROWS_AT_A_TIME = 5_000

/** The rows of one organization's day, page by page. */
async function* readDay(rpc: Rpc, what: What, page: { organization_id: string; date: string }) {
  if (what === 'rollups') {
    yield (await rpc('export_rollups', { page })).map(({ line }) => line)
    return
  }
  let after: unknown = null
  for (;;) {
    const rows = await rpc('export_ledger', { page: { ...page, after, max_rows: ROWS_AT_A_TIME } })
    yield rows.map(({ line }) => line)
    if (rows.length < ROWS_AT_A_TIME) return
    after = rows.at(-1)?.here
  }
}

async function writeAll(rpc: Rpc, what: What, flags: ExportFlags, output: Output, io: CommandIo): Promise<number> {
  const { from: from_date, to: to_date, organization: only_organization } = flags
  const days = await rpc('list_usage_days', { from_date, to_date, only_organization })
  const progress = createProgress(io, 'days')
  const write = createRowWriter(flags.format, output.write)
  let rows = 0
  try {
    for (const [done, page] of days.entries()) {
      throwIfStopped(io, 'The export is not complete.')
      for await (const part of readDay(rpc, what, page)) {
        for (const row of part) await write(row)
        rows += part.length
      }
      progress.show({ done: done + 1, total: days.length, note: `${formatCount(rows)} rows` })
    }
  } finally {
    progress.close()
  }
  return rows
}

async function exportRows(what: What, flags: ExportFlags, io: CommandIo): Promise<void> {
  const operator = openOperator(flags, io.env)
  try {
    const output = await openOutput(flags.out, io)
    const rows = await writeAll(operator.rpc, what, flags, output, io).finally(output.close)
    io.stderr.write(`${formatCount(rows)} rows written${flags.out ? ` to ${flags.out}` : ''}.\n`)
  } finally {
    await operator.close()
  }
}

/** Adds `tollgate export ledger|rollups`: CSV or NDJSON for other programs. */
export function addExportCommand(program: Command, io: CommandIo): void {
  const group = program.command('export').description('write ledger or rollups as CSV or NDJSON')
  const what = { ledger: 'single entries', rollups: 'sums by organization, day, model and user' } as const
  for (const name of ['ledger', 'rollups'] as const) {
    addOperatorOptions(group.command(name))
      .description(what[name])
      .requiredOption('--from <date>', "first day, in each organization's time zone", readDate)
      .requiredOption('--to <date>', 'last day', readDate)
      .option('--organization <id>', 'only this one', readUuid)
      .option('--out <file>', 'write there (default: stdout)')
      .addOption(new Option('--format <format>', 'how').choices(['csv', 'ndjson']).default('csv'))
      .action((flags: ExportFlags) => exportRows(name, flags, io))
  }
}
