/** A line of an export; what is not known is null. */
export type ExportLine = Readonly<Record<string, string | number | null>>

// A spreadsheet takes a cell that begins like this for a formula: an apostrophe makes it text.
const FORMULA = /^[=+\-@\t\r]/
const NUMBER = /^-?\d+(\.\d+)?$/

function cell(value: string | number | null): string {
  if (value === null) return ''
  const text = String(value)
  const safe = FORMULA.test(text) && !NUMBER.test(text) ? `'${text}` : text
  return /[",\n\r]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe
}

/** Lines as CSV (RFC 4180), with a column for whatever any of them has; what is not known is an empty cell, never 0. */
export function toCsv(lines: readonly ExportLine[]): string {
  const columns = [...new Set(lines.flatMap((line) => Object.keys(line)))]
  return [columns, ...lines.map((line) => columns.map((column) => line[column] ?? null))]
    .map((row) => `${row.map(cell).join(',')}\r\n`)
    .join('')
}

/** Lines as JSON; counts and money stay text, so that no digit is lost. */
export const toJson = (lines: readonly object[]): string => `${JSON.stringify(lines, null, 2)}\n`
