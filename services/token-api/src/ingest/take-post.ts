import type { RejectionReason } from '@tollgate/shared/contracts'
import type { Positions } from '../quota/open-positions.ts'
import type { HeaderSink } from '../quota/rate-limit-headers.ts'
import { parseEvents } from './parse-events.ts'
import { type Taken, type TakeOptions, takeEvents } from './take-events.ts'

/** What taking a post of events stands on. */
export interface TakePostOptions extends Pick<TakeOptions, 'checkMembership' | 'admit'> {
  /** Sets the RateLimit headers of an answer that is about one organization. */
  readonly showPosition: Positions['show']
  readonly onRejected: (reason: RejectionReason) => void
  readonly now: () => number
}

/** A request to `POST /v1/events` whose body has been read. */
export interface EventsPost extends Pick<TakeOptions, 'submitter' | 'waits'> {
  readonly body: unknown
  readonly contentType: string | undefined
}

/**
 * Takes what is good of a post, and sets the RateLimit headers of the answer. Neither the body nor the events that are in it are
 * kept while they are put on disk, unless the client waits for their outcomes; the caller must not keep them either.
 * @throws ProblemError `bad-request`, `payload-too-large`, `unavailable`; nothing was counted then
 */
export async function takePost(post: EventsPost, reply: HeaderSink, options: TakePostOptions): Promise<Taken> {
  const { submitter, waits } = post
  const { checkMembership, admit } = options
  const batch = parseEvents(post.body, post.contentType ?? '', options.now())
  return tell(takeEvents(batch, { submitter, waits, checkMembership, admit }), reply, options)
}

async function tell(taking: Promise<Taken>, reply: HeaderSink, options: TakePostOptions): Promise<Taken> {
  const taken = await taking
  for (const { reason } of taken.rejected) options.onRejected(reason)
  if (taken.organizationId !== undefined) options.showPosition(reply, taken.organizationId)
  return taken
}
