import type { AcceptedEvent, RejectionReason } from '@tollgate/shared/contracts'
import type { Positions } from '../quota/open-positions.ts'
import type { HeaderSink } from '../quota/rate-limit-headers.ts'
import type { Receipt } from './admit-events.ts'
import type { CheckMembership } from './check-membership.ts'
import type { Submitter } from './identify-submitter.ts'
import { type ParsedEvent, parseEvents } from './parse-events.ts'
import { type Taken, takeEvents } from './take-events.ts'

/** What taking a post of events stands on. */
export interface TakePostOptions {
  readonly checkMembership: CheckMembership
  readonly admit: (events: readonly AcceptedEvent[], options: { readonly waits: boolean }) => Promise<Receipt[]>
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

/**
 * Takes what is good of a post, and sets the RateLimit headers of the answer.
 * @throws ProblemError `bad-request`, `payload-too-large`, `unavailable`; nothing was counted then
 */
export async function takePost(post: EventsPost, reply: HeaderSink, options: TakePostOptions): Promise<Taken> {
  const batch = parseEvents(post.body, post.contentType ?? '', options.now())
  const admit = (events: readonly AcceptedEvent[]) => options.admit(events, { waits: post.waits })
  const taken = await takeEvents(batch, post.submitter, { checkMembership: options.checkMembership, admit })
  for (const { reason } of taken.rejected) options.onRejected(reason)
  const organizationId = onlyOrganizationOf(taken.events)
  if (organizationId !== undefined) options.showPosition(reply, organizationId)
  return taken
}

/** The organization that all events are of; undefined where there are several or none. */
function onlyOrganizationOf(events: readonly ParsedEvent[]): string | undefined {
  const [first] = events
  const organizationId = first?.event.data.organization_id
  return events.every(({ event }) => event.data.organization_id === organizationId) ? organizationId : undefined
}
