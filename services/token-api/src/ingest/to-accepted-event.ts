import type { AcceptedEvent, PublicEvent } from '@tollgate/shared/contracts'
import type { ParsedEvent } from './parse-events.ts'

/** Flattens an event into what travels in a job. `member` says whether somebody could check the membership. */
export function toAcceptedEvent({ event, time }: ParsedEvent, receivedAt: string, member: boolean): AcceptedEvent {
  const envelope = { source: event.source, id: event.id, time, received_at: receivedAt, member }
  switch (event.type) {
    case 'tollgate.usage.recorded.v1':
      return toUsageRow(event, envelope)
    case 'tollgate.usage.corrected.v1':
      return { type: 'usage.corrected', ...envelope, ...event.data }
    case 'tollgate.session.started.v1':
      return { type: 'session.started', ...envelope, ...event.data }
    case 'tollgate.session.ended.v1':
      return { type: 'session.ended', ...envelope, ...event.data }
  }
}

type Usage = Extract<PublicEvent, { type: 'tollgate.usage.recorded.v1' }>
type Envelope = Pick<AcceptedEvent, 'source' | 'id' | 'time' | 'received_at' | 'member'>

// Almost all events: field by field takes a fraction of the time of spreading, and in the order that the worker looks for.
function toUsageRow({ data }: Usage, { source, id, time, received_at, member }: Envelope): AcceptedEvent {
  return {
    type: 'usage.recorded',
    source,
    id,
    time,
    received_at,
    member,
    organization_id: data.organization_id,
    user_id: data.user_id,
    session_id: data.session_id,
    message_id: data.message_id,
    provider: data.provider,
    model: data.model,
    input_tokens: data.input_tokens,
    output_tokens: data.output_tokens,
    cache_read_input_tokens: data.cache_read_input_tokens,
    cache_creation_input_tokens: data.cache_creation_input_tokens,
    reasoning_output_tokens: data.reasoning_output_tokens,
    message_count: data.message_count,
    reservation_id: data.reservation_id,
  }
}
