// A spreadsheet takes a cell that begins like this for a formula: an apostrophe makes it text.
const FORMULA = /^[=+\-@\t\r\n]/

function cell(value: string | number | null): string {
  if (value === null) return ''
  if (typeof value === 'number') return String(value)
  const safe = FORMULA.test(value) && !isNegativeNumber(value) ? `'${value}` : value
  return /[",\n\r]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe
}

// Money of a correction.
const isNegativeNumber = (value: string): boolean => /^-\d+(\.\d+)?$/.test(value)

/** Rows as CSV (RFC 4180) with a line of names; what is not known is an empty cell, never 0. */
export function toCsv<Column extends string>(
  columns: readonly Column[],
  rows: readonly Readonly<Record<Column, string | number | null>>[],
): string {
  return [columns, ...rows.map((row) => columns.map((column) => row[column]))]
    .map((line) => `${line.map(cell).join(',')}\r\n`)
    .join('')
}
