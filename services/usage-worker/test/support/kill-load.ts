import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import type { Stack } from '@tollgate/local-stack'
import type pg from 'pg'

/** What was sent: the batches, and the sums that every total must equal. */
export interface Load {
  readonly batches: readonly string[]
  readonly events: number
  readonly tokens: number
}

const BATCH = 100
const RETRY_MS = 60

/** Makes batches of events of the stack's demo users, in several chats, with different counts. */
export function makeLoad(stack: Stack, events: number): Load {
  const users = stack.describe().users.filter(({ role }) => role === 'user')
  let tokens = 0
  const makeEvent = (index: number) => {
    const user = users[index % users.length]
    if (user === undefined) throw new Error('the stack has no users')
    const [input, output] = [100 + (index % 900), 1 + (index % 50)]
    tokens += input + output
    return {
      specversion: '1.0',
      type: 'tollgate.usage.recorded.v1',
      source: 'kills',
      id: randomUUID(),
      time: new Date().toISOString(),
      data: {
        organization_id: user.organization_id,
        user_id: user.id,
        session_id: `chat-${index % 7}`,
        model: 'gpt-4o',
        input_tokens: input,
        output_tokens: output,
      },
    }
  }
  const batches = Array.from({ length: events / BATCH }, (_, batch) =>
    JSON.stringify(Array.from({ length: BATCH }, (_, index) => makeEvent(batch * BATCH + index))),
  )
  return { batches, events, tokens }
}

/** Sends a batch until it is answered 2xx, as a client must: with the same ids, whatever happened before. */
export async function sendUntilAccepted(stack: Stack, batch: string, headers: object = {}): Promise<number> {
  const { tokenApi, ingestKey } = stack.describe()
  for (;;) {
    const status = await fetch(`${tokenApi}/v1/events`, {
      method: 'POST',
      headers: { authorization: `Bearer ${ingestKey}`, 'content-type': 'application/json', ...headers },
      body: batch,
      signal: AbortSignal.timeout(5_000),
    }).then(
      async (response) => {
        await response.arrayBuffer()
        return response.status
      },
      () => 0,
    )
    if (status === 200 || status === 202) return status
    if (status >= 400 && status < 500) throw new Error(`the API answered ${status}`)
    await delay(RETRY_MS)
  }
}

const COUNTED = `select
  (select count(*) from tollgate.usage_events)::int as ledger,
  (select count(distinct (organization_id, digest)) from tollgate.usage_events)::int as distinct_events,
  (select coalesce(sum(total_tokens), 0) from tollgate.usage_events)::int as tokens,
  (select coalesce(sum(tokens_used), 0) from public.usage_metrics)::int as usage_metrics,
  (select coalesce(sum(total_tokens), 0) from tollgate.usage_by_model)::int as by_model,
  (select coalesce(sum(total_tokens), 0) from public.chat_sessions)::int as chat_sessions,
  (select coalesce(sum(used_tokens), 0) from tollgate.period_totals)::int as period_totals,
  (select count(*) from tollgate.dead_letters)::int as dead_letters,
  (select count(*) from tollgate.event_inbox)::int as inbox`

/** All totals of the database. */
export async function readTotals(db: pg.Pool): Promise<Record<string, number>> {
  return (await db.query(COUNTED)).rows[0]
}

/** What the totals must be when nothing is lost and nothing doubled. */
export function expectedTotals({ events, tokens }: Load): Record<string, number> {
  const sums = { usage_metrics: tokens, by_model: tokens, chat_sessions: tokens, period_totals: tokens }
  return { ledger: events, distinct_events: events, tokens, ...sums, dead_letters: 0, inbox: 0 }
}
