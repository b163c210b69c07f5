import type pg from 'pg'
import { fold, type UsageEvent } from './usage-fixture.ts'

const day = (event: UsageEvent): string => event.time.slice(0, 10)
const month = (event: UsageEvent): string => event.time.slice(0, 7)

/** Each rollup: the rows as SQL shows them (key, then sums as in `fold`), and the key of an event in it. */
const ROLLUPS: Record<string, { sql: string; keyOf: (event: UsageEvent) => string }> = {
  ledger: {
    sql: `select concat_ws(' ', organization_id, event_id) as key, sum(total_tokens) as tokens,
      coalesce(sum(cost_usd), 0) as cost, sum(message_count) as messages, sum(unpriced_events) as unpriced
      from tollgate.usage_events group by organization_id, event_id`,
    keyOf: (event) => `${event.organization_id} ${event.id}`,
  },
  usage_metrics: {
    sql: `select concat_ws(' ', organization_id, user_id, date) as key, tokens_used as tokens, cost_usd as cost,
      message_count as messages, unpriced_events as unpriced from public.usage_metrics`,
    keyOf: (event) => `${event.organization_id} ${event.user_id} ${day(event)}`,
  },
  usage_by_model: {
    sql: `select concat_ws(' ', organization_id, date, model, user_id) as key, total_tokens as tokens, cost_usd as cost,
      message_count as messages, unpriced_events as unpriced from tollgate.usage_by_model`,
    keyOf: (event) => `${event.organization_id} ${day(event)} ${event.model} ${event.user_id}`,
  },
  usage_by_organization_model: {
    sql: `select concat_ws(' ', organization_id, date, model) as key, total_tokens as tokens, cost_usd as cost,
      message_count as messages, unpriced_events as unpriced from tollgate.usage_by_organization_model`,
    keyOf: (event) => `${event.organization_id} ${day(event)} ${event.model}`,
  },
  chat_sessions: {
    sql: `select concat_ws(' ', organization_id, user_id, librechat_session_id) as key, total_tokens as tokens,
      cost_usd as cost, message_count as messages, unpriced_events as unpriced from public.chat_sessions`,
    keyOf: (event) => `${event.organization_id} ${event.user_id} ${event.session_id}`,
  },
  period_totals: {
    sql: `select concat_ws(' ', organization_id, to_char(period_start at time zone 'UTC', 'YYYY-MM')) as key,
      used_tokens as tokens, cost_usd as cost, null as messages, unpriced_events as unpriced from tollgate.period_totals`,
    keyOf: (event) => `${event.organization_id} ${month(event)}`,
  },
}

interface RollupRow {
  key: string
  tokens: string
  cost: string
  messages: string | null
  unpriced: string
}

/** The rollups in the database and the fold of the events, by name; equal when counting is right. */
export async function readRollups(client: pg.Client, events: Iterable<UsageEvent>) {
  const distinct = [...events]
  const actual: Record<string, Record<string, string>> = {}
  const expected: Record<string, Record<string, string>> = {}
  for (const [name, { sql, keyOf }] of Object.entries(ROLLUPS)) {
    const { rows } = await client.query<RollupRow>(`select * from (${sql}) r order by key collate "C"`)
    actual[name] = Object.fromEntries(rows.map((row) => [row.key, sums(row)]))
    const whole = fold(distinct, keyOf)
    expected[name] = name === 'period_totals' ? withoutMessages(whole) : whole
  }
  return { actual, expected }
}

const picodollars = (usd: string): string => {
  const [whole = '0', fraction = ''] = usd.split('.')
  return BigInt(whole + fraction.padEnd(12, '0')).toString()
}

const sums = ({ tokens, cost, messages, unpriced }: RollupRow): string =>
  [tokens, picodollars(cost), messages ?? '-', unpriced].join(' ')

const withoutMessages = (rollup: Record<string, string>): Record<string, string> =>
  Object.fromEntries(
    Object.entries(rollup).map(([key, value]) => {
      const [tokens, cost, , unpriced] = value.split(' ')
      return [key, [tokens, cost, '-', unpriced].join(' ')]
    }),
  )
