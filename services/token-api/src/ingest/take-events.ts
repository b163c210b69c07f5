import type { AcceptedEvent, PublicEvent } from '@tollgate/shared/contracts'
import type { Receipt } from './admit-events.ts'
import type { CheckMembership, Membership } from './check-membership.ts'
import { forbidEvent, type Submitter } from './identify-submitter.ts'
import type { ParsedBatch, ParsedEvent, Rejection } from './parse-events.ts'
import { toAcceptedEvent } from './to-accepted-event.ts'

/** What became of a request's events at the door. */
export interface Taken {
  /** The events on disk; a receipt's positions point into this list. */
  readonly events: readonly ParsedEvent[]
  /** The same, as they were stored. */
  readonly accepted: readonly AcceptedEvent[]
  readonly receipts: readonly Receipt[]
  readonly rejected: readonly Rejection[]
}

/** What taking events needs from outside. */
export interface TakeOptions {
  readonly checkMembership: CheckMembership
  readonly admit: (events: readonly AcceptedEvent[]) => Promise<Receipt[]>
}

/**
 * Takes what is good of a parsed batch: allowed to its submitter, of a member of the organization, and then stored.
 * @throws ProblemError `unavailable` when the events could not be stored; none was counted then
 */
export async function takeEvents(batch: ParsedBatch, submitter: Submitter, options: TakeOptions): Promise<Taken> {
  const rejected = [...batch.rejected]
  const allowed = batch.events.filter((parsed) => {
    const reason = forbidEvent(submitter, parsed.event)
    if (reason !== undefined) rejected.push({ index: parsed.index, id: parsed.event.id, reason })
    return reason === undefined
  })
  const verdicts = await judgeMembers(allowed, submitter, options.checkMembership)
  const receivedAt = new Date(batch.receivedAtMs).toISOString()
  const events: ParsedEvent[] = []
  const accepted: AcceptedEvent[] = []
  for (const [position, parsed] of allowed.entries()) {
    const verdict = verdicts[position] ?? { member: false }
    if ('reason' in verdict) {
      rejected.push({ index: parsed.index, id: parsed.event.id, reason: verdict.reason })
      continue
    }
    events.push(parsed)
    accepted.push(toAcceptedEvent(parsed, receivedAt, verdict.member))
  }
  const receipts = accepted.length === 0 ? [] : await options.admit(accepted)
  return { events, accepted, receipts, rejected: rejected.sort((one, other) => one.index - other.index) }
}

// A user's own token says where its user belongs. A correction speaks of no user: the worker judges its organization.
async function judgeMembers(events: readonly ParsedEvent[], submitter: Submitter, checkMembership: CheckMembership) {
  if (submitter.kind === 'user') return events.map(() => ({ member: true }))
  const memberships: Membership[] = []
  for (const { event } of events) {
    if (speaksOfUser(event))
      memberships.push({ organizationId: event.data.organization_id, userId: event.data.user_id })
  }
  const verdicts = await checkMembership(memberships)
  let next = 0
  return events.map(({ event }) => (speaksOfUser(event) ? verdicts[next++] : { member: false }))
}

function speaksOfUser(event: PublicEvent): event is Exclude<PublicEvent, { type: 'tollgate.usage.corrected.v1' }> {
  return event.type !== 'tollgate.usage.corrected.v1'
}
