import type { AcceptedEvent } from '@tollgate/shared/contracts'
import type { ParsedEvent } from './parse-events.ts'

/** Flattens an event into what travels in a job. `member` says whether somebody could check the membership. */
export function toAcceptedEvent({ event, time }: ParsedEvent, receivedAt: string, member: boolean): AcceptedEvent {
  const envelope = { source: event.source, id: event.id, time, received_at: receivedAt, member }
  switch (event.type) {
    case 'tollgate.usage.recorded.v1':
      return { type: 'usage.recorded', ...envelope, ...event.data }
    case 'tollgate.usage.corrected.v1':
      return { type: 'usage.corrected', ...envelope, ...event.data }
    case 'tollgate.session.started.v1':
      return { type: 'session.started', ...envelope, ...event.data }
    case 'tollgate.session.ended.v1':
      return { type: 'session.ended', ...envelope, ...event.data }
  }
}
