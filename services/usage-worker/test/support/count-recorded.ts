import type pg from 'pg'

/** What the ledger and usage_metrics hold. */
export async function countRecorded(admin: pg.Client): Promise<{ events: number; tokens: number }> {
  const { rows } = await admin.query(`select (select count(*)::int from tollgate.usage_events) as events,
    (select coalesce(sum(tokens_used), 0)::int from public.usage_metrics) as tokens`)
  return rows[0]
}

/** Empties them, and what else comes of events. */
export async function forgetRecorded(admin: pg.Client): Promise<void> {
  await admin.query(`truncate tollgate.usage_event_identities, tollgate.usage_events, public.usage_metrics,
    tollgate.usage_by_model, tollgate.usage_by_organization_model, public.chat_sessions, tollgate.period_totals,
    tollgate.event_inbox, tollgate.dead_letters`)
}
