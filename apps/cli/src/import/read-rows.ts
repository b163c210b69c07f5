import { createReadStream, statSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { CsvError, parse } from 'csv-parse'
import { CliError, EXIT } from '../operator/cli-error.ts'
import type { SourceRow } from './to-event.ts'

/** Formats that can be imported. */
export type ImportFormat = 'csv' | 'ndjson'

/** A file's rows, read as they are asked for, and how far reading is. */
export interface RowReader {
  /** A row, or null where a line of NDJSON is no JSON object. */
  readonly rows: AsyncIterable<SourceRow | null>
  readonly totalBytes: number
  readBytes(): number
}

/**
 * Opens a file of rows.
 * @throws CliError when it cannot be read
 */
export function openRows(file: string, format: ImportFormat): RowReader {
  const size = statSync(file, { throwIfNoEntry: false })?.size
  if (size === undefined) throw new CliError(`There is no file ${file}.`, EXIT.misused)
  const stream = createReadStream(file)
  return {
    rows: format === 'csv' ? readCsv(stream) : readLines(stream),
    totalBytes: size,
    readBytes: () => stream.bytesRead,
  }
}

async function* readCsv(stream: NodeJS.ReadableStream): AsyncGenerator<SourceRow> {
  const parser = stream.pipe(parse({ columns: true, bom: true, skip_empty_lines: true }))
  stream.on('error', (error) => parser.destroy(error))
  try {
    yield* parser
  } catch (error) {
    throw new CliError(`The CSV is not readable${explain(error)} What was recorded of it stays.`)
  }
}

// The parser's own words speak of its options; people look for the line.
function explain(error: unknown): string {
  if (!(error instanceof CsvError)) return `: ${error instanceof Error ? error.message : String(error)}.`
  const { code, lines, record, columns } = error
  const at = typeof lines === 'number' ? ` at line ${lines}` : ''
  switch (code) {
    case 'CSV_RECORD_INCONSISTENT_COLUMNS':
    case 'CSV_RECORD_INCONSISTENT_FIELDS_LENGTH': {
      const fields = Array.isArray(record) ? `${record.length} fields` : 'another number of fields'
      return `${at}: it has ${fields}, the header ${Array.isArray(columns) ? columns.length : 'others'}.`
    }
    case 'CSV_QUOTE_NOT_CLOSED':
      return `${at}: a quoted field begins there and never ends.`
    case 'INVALID_OPENING_QUOTE':
    case 'CSV_INVALID_CLOSING_QUOTE':
      return `${at}: a quotation mark stands where none may stand; inside a quoted field it is written twice.`
    default:
      return `${at}: ${error.message}.`
  }
}

async function* readLines(stream: NodeJS.ReadableStream): AsyncGenerator<SourceRow | null> {
  for await (const line of createInterface({ input: stream, crlfDelay: Number.POSITIVE_INFINITY })) {
    if (line.trim() !== '') yield parseObject(line)
  }
}

function parseObject(line: string): SourceRow | null {
  try {
    const value: unknown = JSON.parse(line)
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : null
  } catch {
    return null
  }
}
