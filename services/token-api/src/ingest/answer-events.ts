import { type EventOutcome, ProblemError } from '@tollgate/shared/contracts'
import type { z } from 'zod'
import type { eventsAccepted, eventsRecorded } from './event-schemas.ts'
import type { Rejection } from './parse-events.ts'
import type { Taken } from './take-events.ts'

/** What 202 says. @throws ProblemError `no-usable-event` */
export function answerAccepted({ events, rejected }: Taken): z.output<typeof eventsAccepted> {
  refuseUnusable(events.length, rejected)
  return { accepted: events.length, rejected: [...rejected] }
}

/** What 200 says, after the worker's verdict on each event. @throws ProblemError `no-usable-event` */
export function answerRecorded(taken: Taken, outcomes: readonly EventOutcome[]): z.output<typeof eventsRecorded> {
  const rejected = [...taken.rejected]
  const results: z.output<typeof eventsRecorded>['results'] = []
  for (const [position, { index, event }] of taken.events.entries()) {
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
