import type { AcceptedEvent, RejectionReason } from '@tollgate/shared/contracts'
import type { Positions } from '../quota/open-positions.ts'
import type { HeaderSink } from '../quota/rate-limit-headers.ts'
import type { Admission, Receipt } from './admit-events.ts'
import type { CheckMembership } from './check-membership.ts'
import type { Submitter } from './identify-submitter.ts'
import { judgeEvents } from './judge-events.ts'
import { type ParsedEvent, parseEvents, type Rejection } from './parse-events.ts'

/** What taking a post of events stands on. */
export interface TakePostOptions {
  readonly checkMembership: CheckMembership
  readonly admit: Admission['admit']
  /** Sets the RateLimit headers of an answer that is about one organization. */
  readonly showPosition: Positions['show']
  readonly onRejected: (reason: RejectionReason) => void
  readonly now: () => number
}

/** A request to `POST /v1/events` whose body has been read. */
export interface EventsPost {
  readonly body: unknown
  readonly contentType: string | undefined
  readonly submitter: Submitter
  /** Whether the client waits for the outcomes. */
  readonly waits: boolean
}

/** What became of a request's events at the door. */
export interface Taken {
  /** How many are on disk. */
  readonly count: number
  readonly rejected: readonly Rejection[]
  /** The events on disk; undefined where there are none, or nobody waits for their outcomes. */
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

/**
 * Takes what is good of a post, and sets the RateLimit headers of the answer. Neither the body nor its events are kept while they
 * are put on disk, unless the client waits for their outcomes or one of them names a hold; the caller must not keep them either.
 * @throws ProblemError `bad-request`, `payload-too-large`, `unavailable`; nothing was counted then
 */
export async function takePost(post: EventsPost, reply: HeaderSink, options: TakePostOptions): Promise<Taken> {
  const batch = parseEvents(post.body, post.contentType ?? '', options.now())
  const { events, accepted, rejected } = await judgeEvents(batch, post.submitter, options.checkMembership)
  const storing = accepted.length === 0 ? [] : options.admit(accepted, { waits: post.waits })
  const known = { count: accepted.length, rejected, organizationId: onlyOrganizationOf(events) }
  const kept = post.waits && accepted.length > 0 ? { events, accepted } : undefined
  // Not awaited here, where all of the above would be kept until the events are on disk.
  return whenStored(storing, { known, kept }, reply, options)
}

/** What is kept of a request while its events are put on disk. */
interface Rest {
  readonly known: Pick<Taken, 'count' | 'rejected'> & { readonly organizationId: string | undefined }
  readonly kept: Omit<Awaited, 'receipts'> | undefined
}

async function whenStored(
  storing: Receipt[] | Promise<Receipt[]>,
  { known: { count, rejected, organizationId }, kept }: Rest,
  reply: HeaderSink,
  options: TakePostOptions,
): Promise<Taken> {
  const receipts = await storing
  for (const { reason } of rejected) options.onRejected(reason)
  if (organizationId !== undefined) options.showPosition(reply, organizationId)
  return kept === undefined ? { count, rejected } : { count, rejected, awaited: { ...kept, receipts } }
}

/** The organization that all events are of; undefined where there are several or none. */
function onlyOrganizationOf(events: readonly ParsedEvent[]): string | undefined {
  const [first] = events
  const organizationId = first?.event.data.organization_id
  return events.every(({ event }) => event.data.organization_id === organizationId) ? organizationId : undefined
}
