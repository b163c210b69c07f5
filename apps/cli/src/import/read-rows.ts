import { createReadStream, statSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { parse } from 'csv-parse'
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
    throw new CliError(`The CSV is not readable: ${error instanceof Error ? error.message : String(error)}`)
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
