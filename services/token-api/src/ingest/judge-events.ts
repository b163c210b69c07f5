import type { AcceptedEvent, PublicEvent } from '@tollgate/shared/contracts'
import type { CheckMembership, Membership, MembershipVerdict } from './check-membership.ts'
import { forbidEvent, type Submitter } from './identify-submitter.ts'
import type { ParsedBatch, ParsedEvent, Rejection } from './parse-events.ts'
import { toAcceptedEvent } from './to-accepted-event.ts'

/** The events of a request, each accepted or rejected. */
export interface Judged {
  readonly events: readonly ParsedEvent[]
  /** The same, as they are to be stored. */
  readonly accepted: readonly AcceptedEvent[]
  /** In the order of the request. */
  readonly rejected: readonly Rejection[]
}

const UNCHECKED: MembershipVerdict = { member: false }

/** Finds what is good of a parsed batch: allowed to its submitter, and of a member of the organization. */
export async function judgeEvents(
  batch: ParsedBatch,
  submitter: Submitter,
  checkMembership: CheckMembership,
): Promise<Judged> {
  const rejected = [...batch.rejected]
  const allowed = batch.events.filter((parsed) => {
    const reason = forbidEvent(submitter, parsed.event)
    if (reason !== undefined) rejected.push({ index: parsed.index, id: parsed.event.id, reason })
    return reason === undefined
  })
  // A user's own token says where its user belongs.
  const verdicts = submitter.kind === 'user' ? undefined : (await checkMembership(membershipsOf(allowed))).values()
  const receivedAt = new Date(batch.receivedAtMs).toISOString()
  const events: ParsedEvent[] = []
  const accepted: AcceptedEvent[] = []
  for (const parsed of allowed) {
    const verdict = verdicts === undefined ? { member: true } : nextVerdict(parsed.event, verdicts)
    if ('reason' in verdict) {
      rejected.push({ index: parsed.index, id: parsed.event.id, reason: verdict.reason })
      continue
    }
    events.push(parsed)
    accepted.push(toAcceptedEvent(parsed, receivedAt, verdict.member))
  }
  return { events, accepted, rejected: rejected.sort((one, other) => one.index - other.index) }
}

function membershipsOf(events: readonly ParsedEvent[]): Membership[] {
  const memberships: Membership[] = []
  for (const { event } of events) {
    if (speaksOfUser(event))
      memberships.push({ organizationId: event.data.organization_id, userId: event.data.user_id })
  }
  return memberships
}

// A correction speaks of no user: the worker judges its organization.
function nextVerdict(event: PublicEvent, verdicts: Iterator<MembershipVerdict, undefined>): MembershipVerdict {
  return (speaksOfUser(event) ? verdicts.next().value : undefined) ?? UNCHECKED
}

function speaksOfUser(event: PublicEvent): event is Exclude<PublicEvent, { type: 'tollgate.usage.corrected.v1' }> {
  return event.type !== 'tollgate.usage.corrected.v1'
}
