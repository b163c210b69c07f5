import type { CheckAccessToken } from '../gate/check-access-token.ts'
import type { Admission } from '../ingest/admit-events.ts'
import { answerAccepted, answerRecorded } from '../ingest/answer-events.ts'
import type { AuthenticateServiceKey } from '../ingest/authenticate-service-key.ts'
import { awaitOutcomes, type WaitForResult } from '../ingest/await-outcomes.ts'
import { eventsAccepted, eventsBody, eventsRecorded } from '../ingest/event-schemas.ts'
import { identifySubmitter, type Submitter } from '../ingest/identify-submitter.ts'
import { readWaitSeconds } from '../ingest/read-prefer.ts'
import { type TakePostOptions, takePost } from '../ingest/take-post.ts'
import { parseJsonBodies } from '../plugins/json-body.ts'
import { type App, bearer, problems, writeAsTyped } from './typed-app.ts'

/** What the route needs. */
export interface PostEvents extends TakePostOptions {
  readonly authenticateKey: AuthenticateServiceKey
  readonly check: CheckAccessToken
  readonly secure: Admission['secure']
  /** Begins a request that waits. @throws ProblemError `unavailable` while Postgres is away */
  readonly requireStore: () => Promise<void>
  readonly waitForResult: WaitForResult
}

/** The most that a body of events may hold. */
export const EVENTS_LIMIT_BYTES = 4 * 1024 * 1024
/** What a body of events may call itself. */
export const EVENT_TYPES = ['application/cloudevents+json', 'application/cloudevents-batch+json', 'application/json']

const PROMISE = `CloudEvents 1.0, one or a batch; the body may be compressed with gzip. In the place of counts, \`data.usage\` may hold the
provider's own usage object. An event is identified by (organization, source, id) and counts once, however often it is sent.

**202** promises that each accepted event is on disk and will be counted without the client: in Redis, fsynced before the
answer (\`appendfsync always\`), or, while Redis is away or with \`ACCEPT_ON=postgres\`, committed in Postgres. It does not promise
that the worker finds the user in the organization when Postgres could not be asked, and it does not survive the loss of
Redis' disk: after such a loss, which Tollgate notices, clients repeat what was answered 202 and not yet recorded, with
the same ids. **200** (\`Prefer: wait=5\`) promises more: each outcome is that of a committed transaction in Postgres.
**429** and **503** promise nothing was refused for good: repeat with the same ids after \`Retry-After\`.`

const schema = {
  summary: 'Take one event, or up to 1,000',
  description: PROMISE,
  security: bearer,
  consumes: EVENT_TYPES,
  body: eventsBody,
  response: { 200: eventsRecorded, 202: eventsAccepted, ...problems(400, 401, 403, 413, 415, 503) },
}

/** Takes a body out of its request, which lives until it has been answered. */
function takeBody(request: { body: unknown }): unknown {
  const { body } = request
  request.body = undefined
  return body
}

/** `POST /v1/events`: CloudEvents from servers, and chat-session events from users for themselves. */
export function postEvents(app: App, dependencies: PostEvents): void {
  app.register(async (scope: App) => {
    parseJsonBodies(scope, EVENT_TYPES, EVENTS_LIMIT_BYTES)
    scope.decorateRequest('submitter', null)
    scope.route({
      method: 'POST',
      url: '/v1/events',
      schema,
      bodyLimit: EVENTS_LIMIT_BYTES,
      // The schema is for the documentation: one bad event must not fail the whole body.
      validatorCompiler: () => (value) => ({ value }),
      serializerCompiler: writeAsTyped,
      // The body is only read for a credential that may send events.
      onRequest: async (request) => {
        const { authorization } = request.headers
        const submitter = await identifySubmitter(authorization, dependencies.authenticateKey, dependencies.check)
        request.setDecorator<Submitter | null>('submitter', submitter)
      },
      handler: async (request, reply) => {
        const { headers } = request
        const waitSeconds = readWaitSeconds(headers.prefer)
        if (waitSeconds > 0) await dependencies.requireStore()
        const submitter = request.getDecorator<Submitter>('submitter')
        const how = { contentType: headers['content-type'], submitter, waits: waitSeconds > 0 }
        const taken = await takePost({ body: takeBody(request), ...how }, reply, dependencies)
        const { awaited, rejected } = taken
        if (awaited !== undefined) {
          const outcomes = await awaitOutcomes(awaited.receipts, dependencies.waitForResult, waitSeconds * 1_000)
          if (outcomes !== undefined) {
            const answer = answerRecorded(awaited, rejected, outcomes)
            return reply.code(200).header('preference-applied', 'wait').send(answer)
          }
          await dependencies.secure(awaited.accepted, awaited.receipts)
        }
        return reply.code(202).send(answerAccepted(taken))
      },
    })
  })
}
