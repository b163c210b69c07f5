/** How rows are written. */
export type RowFormat = 'csv' | 'ndjson'

/** Writes rows; the columns of a CSV are those of its first row. */
export type WriteRow = (row: Record<string, unknown>) => Promise<void>

/** Makes a writer of rows on top of a writer of text. */
export function createRowWriter(format: RowFormat, write: (text: string) => Promise<void>): WriteRow {
  if (format === 'ndjson') return (row) => write(`${JSON.stringify(row)}\n`)
  let columns: string[] | undefined
  return async (row) => {
    if (columns === undefined) {
      columns = Object.keys(row)
      await write(`${columns.map(toCell).join(',')}\r\n`)
    }
    await write(`${columns.map((column) => toCell(row[column])).join(',')}\r\n`)
  }
}

const NUMBER = /^-?\d+(\.\d+)?$/

/**
 * A cell of RFC 4180. Text that a spreadsheet would run as a formula (it begins with = + - @, a tab or a carriage return)
 * gets an apostrophe before it; a negative number is none.
 */
function toCell(value: unknown): string {
  if (value === null || value === undefined) return ''
  const text = String(value)
  const safe = /^[=+\-@\t\r]/.test(text) && !NUMBER.test(text) ? `'${text}` : text
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe
}
