import type pg from 'pg'
import type { UsageEvent } from './usage-fixture.ts'
import { fold, type Sums } from './usage-fold.ts'

const day = (event: UsageEvent): string => event.time.slice(0, 10)
const month = (event: UsageEvent): string => event.time.slice(0, 7)
const MONEY = 'cost_usd as cost, charge_usd as charge'

/** Each rollup: its rows as SQL shows them (key, then sums; null where it has none), and the key of an event in it. */
const ROLLUPS: Record<string, { sql: string; keyOf: (event: UsageEvent) => string }> = {
  ledger: {
    sql: `select concat_ws(' ', organization_id, event_id) as key, sum(total_tokens) as tokens,
      coalesce(sum(cost_usd), 0) as cost, coalesce(sum(charge_usd), 0) as charge, sum(message_count) as messages,
      sum(event_count) as events, sum(unpriced_events) as unpriced
      from tollgate.usage_events group by organization_id, event_id`,
    keyOf: (event) => `${event.organization_id} ${event.id}`,
  },
  usage_metrics: {
    sql: `select concat_ws(' ', organization_id, user_id, date) as key, tokens_used as tokens, ${MONEY},
      message_count as messages, event_count as events, unpriced_events as unpriced from public.usage_metrics`,
    keyOf: (event) => `${event.organization_id} ${event.user_id} ${day(event)}`,
  },
  usage_by_model: {
    sql: `select concat_ws(' ', organization_id, date, model, user_id) as key, total_tokens as tokens, ${MONEY},
      message_count as messages, event_count as events, unpriced_events as unpriced from tollgate.usage_by_model`,
    keyOf: (event) => `${event.organization_id} ${day(event)} ${event.model} ${event.user_id}`,
  },
  usage_by_organization_model: {
    sql: `select concat_ws(' ', organization_id, date, model) as key, total_tokens as tokens, ${MONEY},
      message_count as messages, event_count as events, unpriced_events as unpriced
      from tollgate.usage_by_organization_model`,
    keyOf: (event) => `${event.organization_id} ${day(event)} ${event.model}`,
  },
  chat_sessions: {
    sql: `select concat_ws(' ', organization_id, user_id, librechat_session_id) as key, total_tokens as tokens, ${MONEY},
      message_count as messages, null as events, unpriced_events as unpriced from public.chat_sessions`,
    keyOf: (event) => `${event.organization_id} ${event.user_id} ${event.session_id}`,
  },
  session_metadata: {
    sql: `select concat_ws(' ', organization_id, user_id, librechat_session_id) as key,
      session_metadata ->> 'tokens' as tokens, null as cost, null as charge,
      session_metadata ->> 'messages' as messages, null as events, null as unpriced from public.chat_sessions`,
    keyOf: (event) => `${event.organization_id} ${event.user_id} ${event.session_id}`,
  },
  period_totals: {
    sql: `select concat_ws(' ', organization_id, to_char(period_start at time zone 'UTC', 'YYYY-MM')) as key,
      used_tokens as tokens, ${MONEY}, null as messages, event_count as events, unpriced_events as unpriced
      from tollgate.period_totals`,
    keyOf: (event) => `${event.organization_id} ${month(event)}`,
  },
}

type RollupRow = { key: string } & Record<keyof Sums, string | null>
type Book = Record<string, Partial<Record<keyof Sums, string>>>

/** The rollups in the database and the fold of the events, by name; equal when counting is right. */
export async function readRollups(client: pg.Client, events: Iterable<UsageEvent>) {
  const holding = [...events]
  const actual: Record<string, Book> = {}
  const expected: Record<string, Book> = {}
  for (const [name, { sql, keyOf }] of Object.entries(ROLLUPS)) {
    const { rows } = await client.query<RollupRow>(sql)
    const known = SUMS.filter((sum) => rows.length === 0 || rows[0]?.[sum] !== null)
    actual[name] = Object.fromEntries(rows.map((row) => [row.key, ofRow(row, known)]))
    expected[name] = Object.fromEntries([...fold(holding, keyOf)].map(([key, sums]) => [key, ofFold(sums, known)]))
  }
  return { actual, expected }
}

const SUMS = ['tokens', 'cost', 'charge', 'messages', 'events', 'unpriced'] as const

const ofFold = (sums: Sums, known: readonly (keyof Sums)[]) =>
  Object.fromEntries(known.map((sum) => [sum, sums[sum].toString()]))

const ofRow = (row: RollupRow, known: readonly (keyof Sums)[]) =>
  Object.fromEntries(
    known.map((sum) => [sum, sum === 'cost' || sum === 'charge' ? picodollars(row[sum] ?? '0') : (row[sum] ?? '')]),
  )

const picodollars = (usd: string): string => {
  const [whole = '0', fraction = ''] = usd.split('.')
  return BigInt(whole + fraction.padEnd(12, '0')).toString()
}
