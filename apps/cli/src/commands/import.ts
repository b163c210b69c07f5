import { basename } from 'node:path'
import { type Command, InvalidArgumentError, Option } from 'commander'
import type { CommandIo } from '../command-io.ts'
import { formatCount, formatTable } from '../demo/format.ts'
import { type ImportTotals, importRows } from '../import/import-rows.ts'
import { type ImportFormat, openRows } from '../import/read-rows.ts'
import { IMPORT_FIELDS } from '../import/to-event.ts'
import { EXIT } from '../operator/cli-error.ts'
import type { OperatorFlags } from '../operator/open-operator.ts'
import { addOperatorOptions, type CommandResult, runOperator, throwIfStopped } from '../operator/run-operator.ts'
import { createProgress } from '../operator/show-progress.ts'

interface ImportFlags extends OperatorFlags {
  readonly format?: ImportFormat
  readonly map: ReadonlyMap<string, string>
  readonly set: ReadonlyMap<string, string>
  readonly source?: string
  readonly dryRun?: boolean
  readonly skip: number
  readonly formerUsers?: boolean
}

const SHOWN_FAULTS = 20

function addPair(text: string, known: ReadonlyMap<string, string>): Map<string, string> {
  const at = text.indexOf('=')
  const field = text.slice(0, at)
  if (at < 1 || !IMPORT_FIELDS.includes(field)) {
    throw new InvalidArgumentError(`field=value is needed, with one of ${IMPORT_FIELDS.join(', ')}.`)
  }
  return new Map([...known, [field, text.slice(at + 1)]])
}

function readSkip(text: string): number {
  if (!/^\d{1,12}$/.test(text)) throw new InvalidArgumentError('a whole number is needed.')
  return Number(text)
}

async function importFile(file: string, flags: ImportFlags, io: CommandIo): Promise<void> {
  const reader = openRows(file, flags.format ?? (file.endsWith('.csv') ? 'csv' : 'ndjson'))
  const progress = createProgress(io, 'bytes')
  const mapping = {
    columns: flags.map,
    constants: flags.set,
    source: flags.source ?? `import:${basename(file)}`,
    formerUsers: flags.formerUsers ?? false,
  }
  await runOperator(flags, io, async ({ rpc }): Promise<CommandResult> => {
    const onBatch = ({ rows, recorded, duplicates, rejected }: ImportTotals): void => {
      const note = `${formatCount(recorded)} recorded, ${formatCount(duplicates)} duplicates, ${formatCount(rejected)} rejected`
      progress.show({ done: reader.readBytes(), total: reader.totalBytes, note })
      throwIfStopped(io, `Run it again, or go on with --skip ${flags.skip + rows}: what is recorded counts once.`)
    }
    const work = { rpc, reader, mapping, dryRun: flags.dryRun ?? false, skip: flags.skip, now: Date.now, onBatch }
    const totals = await importRows(work).finally(progress.close)
    const exitCode = totals.rejected > 0 || totals.conflicts > 0 ? EXIT.found : EXIT.done
    return { document: { dry_run: flags.dryRun ?? false, ...totals }, text: describe(totals, flags), exitCode }
  })
}

function describe(totals: ImportTotals, { dryRun }: ImportFlags): string {
  const figures = [
    ['Rows', formatCount(totals.rows)],
    [dryRun ? 'Would be recorded' : 'Recorded', formatCount(totals.recorded)],
    ['Duplicates', formatCount(totals.duplicates)],
    ['… that contradict what was counted', formatCount(totals.conflicts)],
    ['Without a price', formatCount(totals.unpriced)],
    ['Rejected', formatCount(totals.rejected)],
  ]
  const faults = totals.faults.slice(0, SHOWN_FAULTS).map(({ row, reason }) => `  row ${row}: ${reason}`)
  const more = totals.rejected > faults.length ? [`  … and ${formatCount(totals.rejected - faults.length)} more`] : []
  return [...formatTable(figures, new Set([1])), ...faults, ...more].join('\n')
}

/** Adds `tollgate import`: usage of the past, from CSV or NDJSON. */
export function addImportCommand(program: Command, io: CommandIo): void {
  addOperatorOptions(program.command('import'))
    .argument('<file>', 'CSV with a header, or one JSON object a line')
    .description('record usage of the past, of any age; it triggers no enforcement for past periods')
    .addOption(new Option('--format <format>', 'default: by the name of the file').choices(['csv', 'ndjson']))
    .option(
      '--map <field=column>',
      'where a field is found (repeat it); default: a column of its name',
      addPair,
      new Map(),
    )
    .option('--set <field=value>', 'what a field is in every row (repeat it)', addPair, new Map())
    .option('--source <source>', 'source of rows that name none (default: import:<file name>)')
    .option('--former-users', 'take users who no longer belong to their organization')
    .option('--skip <rows>', 'leave out so many rows at the beginning', readSkip, 0)
    .option('--dry-run', 'only say what would become of the rows')
    .action((file: string, flags: ImportFlags) => importFile(file, flags, io))
}
