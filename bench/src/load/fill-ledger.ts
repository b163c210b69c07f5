import type pg from 'pg'
import type { Totals } from '../audit/totals.ts'
import type { Member } from './population.ts'

const CHUNK = 500_000
const TOKENS = { input: 100, output: 10 }
const MODEL = 'bench-fill'

// Identities and ledger as ingest_usage writes them, without its checks; ids are as random as digests make them.
const INSERT = `
  with event as materialized (
    select m.organization_id, m.user_id, i::text as id, tollgate.identity_digest('fill', i::text) as digest,
      now() - (i % 3600) * interval '1 second' as time
    from generate_series($3::bigint, $4::bigint) i
    join unnest($1::uuid[], $2::uuid[]) with ordinality m (organization_id, user_id, place)
      on m.place = 1 + i % cardinality($1)
  ), identity as (
    insert into tollgate.usage_event_identities (organization_id, digest, counts_digest)
    select organization_id, digest, digest from event
  )
  insert into tollgate.usage_events (
    organization_id, digest, source, event_id, time, received_at, user_id, session_id, model, input_tokens, output_tokens,
    cache_read_input_tokens, cache_creation_input_tokens, reasoning_output_tokens, total_tokens, message_count,
    unpriced_events, usage_date, period_start)
  select organization_id, digest, 'fill', id, time, time, user_id, 'fill', '${MODEL}', ${TOKENS.input}, ${TOKENS.output},
    0, 0, 0, ${TOKENS.input + TOKENS.output}, 1, 1, current_date, date_trunc('month', now())
  from event`

const ROLL_UP = [
  `insert into public.usage_metrics as t (organization_id, user_id, date, tokens_used, input_tokens, output_tokens,
      message_count, event_count, unpriced_events)
    select organization_id, user_id, usage_date, sum(total_tokens), sum(input_tokens), sum(output_tokens), count(*), count(*),
      count(*)
    from tollgate.usage_events where model = '${MODEL}' group by 1, 2, 3
    on conflict (organization_id, user_id, date) do update set tokens_used = t.tokens_used + excluded.tokens_used,
      input_tokens = t.input_tokens + excluded.input_tokens, output_tokens = t.output_tokens + excluded.output_tokens,
      message_count = t.message_count + excluded.message_count, event_count = t.event_count + excluded.event_count,
      unpriced_events = t.unpriced_events + excluded.unpriced_events`,
  `insert into tollgate.usage_by_model (organization_id, date, model, user_id, input_tokens, output_tokens,
      cache_read_input_tokens, cache_creation_input_tokens, reasoning_output_tokens, total_tokens, cost_usd, charge_usd,
      message_count, event_count, unpriced_events)
    select organization_id, usage_date, model, user_id, sum(input_tokens), sum(output_tokens), 0, 0, 0, sum(total_tokens),
      0, 0, count(*), count(*), count(*)
    from tollgate.usage_events where model = '${MODEL}' group by 1, 2, 3, 4`,
]

/** Fills identities, ledger and the two rollups that the audit looks at, and gives what was added. */
export async function fillLedger(
  db: pg.Pool,
  members: readonly Member[],
  rows: number,
  log: (line: string) => void,
): Promise<Totals> {
  const organizations = members.map(({ organizationId }) => organizationId)
  const users = members.map(({ userId }) => userId)
  for (let from = 1; from <= rows; from += CHUNK) {
    const to = Math.min(rows, from + CHUNK - 1)
    await db.query(INSERT, [organizations, users, from, to])
    log(`  ledger filled with ${to.toLocaleString('en-US')} of ${rows.toLocaleString('en-US')} rows`)
  }
  for (const statement of ROLL_UP) await db.query(statement)
  // What filling left to be written and counted must not fall into the measurement.
  await db.query('analyze tollgate.usage_events, tollgate.usage_event_identities')
  await db.query('checkpoint')
  return { events: rows, inputTokens: rows * TOKENS.input, outputTokens: rows * TOKENS.output }
}
