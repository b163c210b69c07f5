/** A whole number with its thousands apart. */
export function formatCount(count: bigint | number): string {
  return count.toLocaleString('en-US')
}

/** Milliseconds without false precision. */
export function formatMs(ms: number): string {
  return `${Math.round(ms).toLocaleString('en-US')} ms`
}

/** How much of a limit is used, in whole percent, rounded down so that 99.9 never reads as reached. */
export function formatPercent(used: bigint | number, limit: number | null): string {
  if (limit === null) return 'no limit'
  return limit === 0 ? '–' : `${(BigInt(used) * 100n) / BigInt(limit)} %`
}

/** Columns as wide as their widest cell; those in `right` are aligned to the right. */
export function formatTable(rows: readonly (readonly string[])[], right: ReadonlySet<number>): string[] {
  const columns = Math.max(0, ...rows.map((row) => row.length))
  const widths = Array.from({ length: columns }, (_, at) => Math.max(...rows.map((row) => row[at]?.length ?? 0)))
  return rows.map((row) =>
    widths
      .map((width, at) => (right.has(at) ? (row[at] ?? '').padStart(width) : (row[at] ?? '').padEnd(width)))
      .join('  ')
      .trimEnd(),
  )
}
