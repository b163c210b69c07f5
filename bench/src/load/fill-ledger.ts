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

// Ten thousand calls of a user are the same to a rollup as one of their sum; the one of nothing is for the session's start.
const ROLL_UP = `
  with used as (
    select organization_id, user_id, session_id, model, usage_date, period_start, min(time) as first, max(time) as last,
      sum(input_tokens) as input_tokens, sum(output_tokens) as output_tokens, sum(total_tokens) as total_tokens,
      count(*)::integer as message_count, count(*)::integer as event_count, count(*)::integer as unpriced_events,
      0 as cache_read_input_tokens, 0 as cache_creation_input_tokens, 0 as reasoning_output_tokens
    from tollgate.usage_events where model = '${MODEL}' group by 1, 2, 3, 4, 5, 6
  ), entry as (
    select jsonb_populate_record(null::tollgate.judged_event,
      to_jsonb(u) || '{"is_current_period": true}' || jsonb_build_object('time', u.last)) as row from used u
    union all
    select jsonb_populate_record(null::tollgate.judged_event, to_jsonb(u) || '{"input_tokens": 0, "output_tokens": 0,
      "total_tokens": 0, "message_count": 0, "event_count": 0, "unpriced_events": 0}' || jsonb_build_object('time', u.first))
    from used u
  ), every as materialized (
    select array_agg(row) as entries from entry
  )
  select tollgate.roll_up_days(entries), tollgate.roll_up_sessions(entries), tollgate.roll_up_organization_models(entries),
    tollgate.add_period_totals(entries, '{}') from every`

/** Fills identities, ledger and everything that is summed up from it, and gives what was added. */
export async function fillLedger(
  db: pg.Pool,
  members: readonly Member[],
  rows: number,
  log: (line: string) => void,
): Promise<Totals> {
  // Pages that were read at random would go into the log whole; there is no power cut here, and what comes to be is the same.
  await setServer(db, 'full_page_writes = off')
  await insertAll(db, members, rows, log)
  await setServer(db, 'full_page_writes = on')
  // What filling left to be written and counted must not fall into the measurement.
  await db.query('analyze tollgate.usage_events, tollgate.usage_event_identities')
  await db.query('checkpoint')
  return { events: rows, inputTokens: rows * TOKENS.input, outputTokens: rows * TOKENS.output }
}

async function setServer(db: pg.Pool, setting: string): Promise<void> {
  await db.query(`alter system set ${setting}`)
  await db.query('select pg_reload_conf()')
}

async function insertAll(
  db: pg.Pool,
  members: readonly Member[],
  rows: number,
  log: (line: string) => void,
): Promise<void> {
  const people = [members.map(({ organizationId }) => organizationId), members.map(({ userId }) => userId)]
  const guard = await db.connect()
  let next = 1
  const fill = async (): Promise<void> => {
    for (let from = next; from <= rows; from = next) {
      next = from + CHUNK
      const to = Math.min(rows, next - 1)
      await db.query(INSERT, [...people, from, to])
      log(`  ledger filled with ${to.toLocaleString('en-US')} of ${rows.toLocaleString('en-US')} rows`)
    }
  }
  try {
    await guard.query('begin')
    // The worker's own reconciling waits until all is there.
    await guard.query("select pg_advisory_xact_lock(hashtext('tollgate.books'))")
    await Promise.all([fill(), fill()])
    await guard.query(ROLL_UP)
    await guard.query('commit')
    guard.release()
  } catch (error) {
    guard.release(true)
    throw error
  }
}
