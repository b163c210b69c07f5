import type { DecisionRow, GrantRow, SessionRow, UsageRow } from '../data/reports.ts'
import type { Group } from '../filters/filters.ts'
import type { ExportLine } from './tables.ts'

/**
 * A row of the table of usage as a line: its columns in their order, then what it has no room for. A kind of LLM token has
 * neither a cost nor messages of its own: those of its calls would count once for each kind.
 */
export function toUsageLine(row: UsageRow, by: Group): ExportLine {
  const { bucket, tokens_used, cost_usd, unpriced_events, message_count } = row
  if (by === 'token_kind') return { bucket, token_kind: row.token_kind, tokens_used }
  return {
    bucket,
    ...(by === 'model' ? { model: row.model } : { user_name: row.user_name, user_id: row.user_id }),
    ...{ tokens_used, cost_usd, unpriced_events, message_count },
    ...{ input_tokens: row.input_tokens, output_tokens: row.output_tokens },
    ...{ charge_usd: row.charge_usd, event_count: row.event_count },
  }
}

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
