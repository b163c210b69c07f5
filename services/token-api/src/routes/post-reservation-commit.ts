import { commitAnswer, commitBody, ProblemError, uuid } from '@tollgate/shared/contracts'
import { z } from 'zod'
import type { ServiceKey } from '../ingest/authenticate-service-key.ts'
import { forbidEvent } from '../ingest/identify-submitter.ts'
import { type ParsedEvent, parseEvents } from '../ingest/parse-events.ts'
import { toAcceptedEvent } from '../ingest/to-accepted-event.ts'
import { parseJsonBodies } from '../plugins/json-body.ts'
import type { Positions } from '../quota/open-positions.ts'
import { explainMisfit } from '../reservations/explain-hold.ts'
import type { Holds } from '../reservations/open-holds.ts'
import { type App, bearer, problems } from './typed-app.ts'

/** What the route needs. */
export interface PostReservationCommit {
  readonly commit: Holds['commit']
  /** Sets the RateLimit headers. */
  readonly showPosition: Positions['show']
  /** Told of a usage event that is on disk. */
  readonly onAccepted: () => void
  readonly now: () => number
}

const BODY_LIMIT_BYTES = 64 * 1024
const CONTENT_TYPES = ['application/cloudevents+json', 'application/json']

const schema = {
  summary: 'Report the usage of a call for which LLM tokens were held',
  security: bearer,
  consumes: CONTENT_TYPES,
  params: z.object({ id: uuid }),
  body: commitBody,
  response: { 202: commitAnswer, ...problems(400, 401, 403, 404, 409, 413, 415, 503) },
}

/** `POST /v1/reservations/:id/commit`: takes the usage event of the call; the ledger settles the hold with it. */
export function postReservationCommit(app: App, dependencies: PostReservationCommit): void {
  const { commit, showPosition, onAccepted, now } = dependencies
  app.register(async (scope: App) => {
    parseJsonBodies(scope, CONTENT_TYPES, BODY_LIMIT_BYTES)
    scope.route({
      method: 'POST',
      url: '/v1/reservations/:id/commit',
      schema,
      // The schema is for the documentation: the event is judged as POST /v1/events judges it.
      validatorCompiler: () => (value) => ({ value }),
      handler: async (request, reply) => {
        const key = request.getDecorator<ServiceKey>('serviceKey')
        const id = readId(request.params.id)
        const parsed = readUsage(request.body, id, now())
        const reason = forbidEvent({ kind: 'server', key }, parsed.event)
        if (reason !== undefined) {
          throw new ProblemError('forbidden', 'The key belongs to another organization.', { extensions: { reason } })
        }
        // The hold was made for a member, and its commit has to be of the same user.
        const event = { ...toAcceptedEvent(parsed, new Date(now()).toISOString(), true), reservation_id: id }
        const row = await commit({ reservation_id: id, strict: true, organization_id: key.organization_id, event })
        if (row.state === null || !TAKEN.has(row.outcome)) throw explainMisfit(row)
        if (row.outcome !== 'repeated') onAccepted()
        showPosition(reply, parsed.event.data.organization_id)
        return reply.code(202).send({ id, state: row.state, late: row.outcome === 'late' })
      },
    })
  })
}

const TAKEN: ReadonlySet<string> = new Set(['accepted', 'late', 'repeated'])

function readId(text: unknown): string {
  const parsed = uuid.safeParse(text)
  if (!parsed.success) throw new ProblemError('not-found', 'There is no such reservation.')
  return parsed.data
}

/** The one usage event of the body. @throws ProblemError `bad-request`, `no-usable-event` */
function readUsage(body: unknown, reservationId: string, nowMs: number): ParsedEvent {
  if (Array.isArray(body)) throw new ProblemError('bad-request', 'A commit carries one event, not an array.')
  const { events, rejected } = parseEvents(body, 'application/cloudevents+json', nowMs)
  const [parsed] = events
  if (parsed === undefined) {
    throw new ProblemError('no-usable-event', 'The event was rejected; see "rejected".', { extensions: { rejected } })
  }
  const { event } = parsed
  if (event.type !== 'tollgate.usage.recorded.v1') {
    throw new ProblemError('bad-request', 'A commit carries a usage event, tollgate.usage.recorded.v1.')
  }
  if (event.data.reservation_id !== undefined && event.data.reservation_id !== reservationId) {
    throw new ProblemError('bad-request', 'The event names another reservation than the path.')
  }
  return parsed
}
