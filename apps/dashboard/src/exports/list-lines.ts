import type { DecisionRow, GrantRow, SessionRow, UsageRow } from '../data/reports.ts'
import type { ExportLine } from './tables.ts'

/** A row of a usage report as a line, with all that the report knows of it. */
export const toUsageLine = (row: UsageRow): ExportLine => ({ ...row })

/** A chat session as a line. */
export const toSessionLine = ({ cursor: _, ...row }: SessionRow): ExportLine => ({
  ...row,
  duration_seconds: Math.round((Date.parse(row.last_activity_at) - Date.parse(row.started_at)) / 1_000),
})

/** A grant as a line. */
export const toGrantLine = ({ cursor: _, ...row }: GrantRow): ExportLine => row

/** A decision as a line: what it was decided from stands in columns of their own, named `input_…`. */
export function toDecisionLine({ cursor: _, inputs, withheld, ...row }: DecisionRow): ExportLine {
  const { state = null, because = null, until = null } = withheld ?? {}
  const told = { withheld_state: state, withheld_because: because, withheld_until: until }
  return {
    ...row,
    ...told,
    ...Object.fromEntries(Object.entries(inputs).map(([name, value]) => [`input_${name}`, flat(value)])),
  }
}

const flat = (value: unknown): string | number | null =>
  value === null || typeof value === 'string' || typeof value === 'number' ? value : JSON.stringify(value)
