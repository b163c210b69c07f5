import { randomUUID } from 'node:crypto'
import type { AcceptedEvent, PublicEvent } from '@tollgate/shared/contracts'
import type { Member } from './population.ts'

/** A usage event as a client sends it. */
export type UsageEvent = Extract<PublicEvent, { type: 'tollgate.usage.recorded.v1' }>
/** The same as it travels in a job. */
export type UsageRow = Extract<AcceptedEvent, { type: 'usage.recorded' }>

const MODELS = [
  { provider: 'openai', model: 'gpt-4o' },
  { provider: 'openai', model: 'gpt-4o-mini' },
  { provider: 'anthropic', model: 'claude-sonnet-4-5' },
  { provider: 'google', model: 'gemini-2.5-pro' },
] as const

/** A usage event of one of the members, at the present time; counts are of the size that chats have. */
export function makeEvent(
  members: readonly Member[],
  inputTokens = 50 + below(4_000),
  newId: () => string = randomUUID,
): UsageEvent {
  const { organizationId, userId, sessionIds } = oneOf(members)
  const outputTokens = 10 + below(900)
  return {
    specversion: '1.0',
    type: 'tollgate.usage.recorded.v1',
    source: 'bench',
    id: newId(),
    time: new Date().toISOString(),
    data: {
      organization_id: organizationId,
      user_id: userId,
      session_id: oneOf(sessionIds),
      message_id: randomUUID(),
      ...oneOf(MODELS),
      input_tokens: inputTokens,
      output_tokens: outputTokens,
      cache_read_input_tokens: below(inputTokens / 2),
      cache_creation_input_tokens: 0,
      reasoning_output_tokens: below(outputTokens / 2),
      message_count: 1,
    },
  }
}

/** Makes several events. */
export function makeEvents(members: readonly Member[], count: number, newId?: () => string): UsageEvent[] {
  return Array.from({ length: count }, () => makeEvent(members, undefined, newId))
}

/** What the token API makes of an event. */
export function toRow({ source, id, time, data }: UsageEvent): UsageRow {
  const at = time ?? new Date().toISOString()
  return { type: 'usage.recorded', source, id, time: at, received_at: at, member: true, ...data }
}

/** Cuts a list into lists of at most `size`. */
export function inBatches<Item>(items: readonly Item[], size: number): Item[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, batch) =>
    items.slice(batch * size, (batch + 1) * size),
  )
}

function below(bound: number): number {
  return Math.floor(Math.random() * bound)
}

function oneOf<Item>(items: readonly Item[]): Item {
  const item = items[below(items.length)]
  if (item === undefined) throw new RangeError('there is nothing to choose from')
  return item
}
