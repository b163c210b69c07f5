import type { StatementFigures, StatementRow } from '../data/reports.ts'
import type { ExportLine } from './tables.ts'

/**
 * A statement as flat lines: `model` and `earlier` add up to `total`, and so do `user` and `earlier`. What a line has no
 * place for is null.
 */
export function toStatementLines(row: StatementRow): ExportLine[] {
  const line = (section: string, figures: Partial<StatementFigures>, names: ExportLine = {}): ExportLine => ({
    ...{ section, period_first_day: row.first_day, period_last_day: row.last_day, state: row.state },
    ...{ model: null, user_id: null, user_name: null, own_period_start: null, ...names },
    ...{ event_count: figures.event_count ?? null, message_count: figures.message_count ?? null },
    ...{ input_tokens: figures.input_tokens ?? null, output_tokens: figures.output_tokens ?? null },
    ...{ tokens_used: figures.tokens_used ?? null, cost_usd: figures.cost_usd ?? null },
    ...{ charge_usd: figures.charge_usd ?? null, unpriced_events: figures.unpriced_events ?? null },
  })
  return [
    ...row.models.map((model) => line('model', model, { model: model.model })),
    ...row.users.map((user) => line('user', user, { user_id: user.user_id, user_name: user.user_name })),
    ...row.earlier.map((entry) => line('earlier', entry, { model: entry.model, own_period_start: entry.period_start })),
    line('total', row.total),
  ]
}
