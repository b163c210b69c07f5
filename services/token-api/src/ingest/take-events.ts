import type { AcceptedEvent, PublicEvent } from '@tollgate/shared/contracts'
import type { Receipt } from './admit-events.ts'
import type { CheckMembership, Membership } from './check-membership.ts'
import { forbidEvent, type Submitter } from './identify-submitter.ts'
import type { ParsedBatch, ParsedEvent, Rejection } from './parse-events.ts'
import { toAcceptedEvent } from './to-accepted-event.ts'

/** What became of a request's events at the door. */
export interface Taken {
  /** How many are on disk. */
  readonly count: number
  readonly rejected: readonly Rejection[]
  /** The organization that all on disk are of; undefined where there are several or none. */
  readonly organizationId: string | undefined
  /** What their outcomes are told by; only where some are waited for. */
  readonly awaited?: Awaited
}

/** Events whose outcomes are waited for. */
export interface Awaited {
  /** A receipt's positions point into this list. */
  readonly events: readonly ParsedEvent[]
  /** The same, as they were stored. */
  readonly accepted: readonly AcceptedEvent[]
  readonly receipts: readonly Receipt[]
}

/** Who takes events in, and how. */
export interface TakeOptions {
  readonly submitter: Submitter
  /** Whether the client waits for the outcomes. */
  readonly waits: boolean
  readonly checkMembership: CheckMembership
  readonly admit: (events: readonly AcceptedEvent[], how: { readonly waits: boolean }) => Promise<Receipt[]>
}

/**
 * Takes what is good of a parsed batch: allowed to its submitter, of a member of the organization, and then stored.
 * @throws ProblemError `unavailable` when the events could not be stored; none was counted then
 */
export async function takeEvents(batch: ParsedBatch, options: TakeOptions): Promise<Taken> {
  const { submitter, waits } = options
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
  rejected.sort((one, other) => one.index - other.index)
  const taken = { count: events.length, rejected, organizationId: onlyOrganizationOf(events) }
  if (accepted.length === 0) return taken
  const storing = options.admit(accepted, { waits })
  // Not awaited here, where all events would be kept until they are on disk.
  return waits ? withReceipts(storing, taken, { events, accepted }) : whenStored(storing, taken)
}

async function whenStored(storing: Promise<unknown>, taken: Taken): Promise<Taken> {
  await storing
  return taken
}

async function withReceipts(
  storing: Promise<Receipt[]>,
  taken: Taken,
  kept: Omit<Awaited, 'receipts'>,
): Promise<Taken> {
  return { ...taken, awaited: { ...kept, receipts: await storing } }
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

function onlyOrganizationOf(events: readonly ParsedEvent[]): string | undefined {
  const [first] = events
  const organizationId = first?.event.data.organization_id
  return events.every(({ event }) => event.data.organization_id === organizationId) ? organizationId : undefined
}
