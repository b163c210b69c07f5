import { type EventOutcome, ProblemError } from '@tollgate/shared/contracts'
import type { z } from 'zod'
import type { eventsAccepted, eventsRecorded } from './event-schemas.ts'
import type { Rejection } from './parse-events.ts'
import type { Awaited, Taken } from './take-post.ts'

/** What 202 says. @throws ProblemError `no-usable-event` */
export function answerAccepted({ count, rejected }: Taken): z.output<typeof eventsAccepted> {
  refuseUnusable(count, rejected)
  return { accepted: count, rejected: [...rejected] }
}

/** What 200 says, after the worker's verdict on each event. @throws ProblemError `no-usable-event` */
export function answerRecorded(
  { events }: Awaited,
  refused: readonly Rejection[],
  outcomes: readonly EventOutcome[],
): z.output<typeof eventsRecorded> {
  const rejected = [...refused]
  const results: z.output<typeof eventsRecorded>['results'] = []
  for (const [position, { index, event }] of events.entries()) {
    const outcome = outcomes[position]
    if (outcome === undefined) throw new RangeError(`no outcome of event ${position}`)
    results.push({ index, id: event.id, ...outcome })
    if (outcome.outcome === 'rejected') rejected.push({ index, id: event.id, reason: outcome.reason })
  }
  rejected.sort((one, other) => one.index - other.index)
  const count = (wanted: EventOutcome['outcome']) => results.filter(({ outcome }) => outcome === wanted).length
  const [recorded, duplicate] = [count('recorded'), count('duplicate')]
  refuseUnusable(recorded + duplicate, rejected)
  return { accepted: recorded + duplicate, recorded, duplicate, rejected, results }
}

function refuseUnusable(usable: number, rejected: readonly Rejection[]): void {
  if (usable > 0) return
  const detail = rejected.length === 0 ? 'The request holds no event.' : 'Every event was rejected; see "rejected".'
  throw new ProblemError('no-usable-event', detail, { extensions: { accepted: 0, rejected } })
}
