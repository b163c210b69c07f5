import type { AcceptedEvent, RejectionReason } from '@tollgate/shared/contracts'
import type { CheckAccessToken } from '../gate/check-access-token.ts'
import type { Receipt } from '../ingest/admit-events.ts'
import { answerAccepted, answerRecorded } from '../ingest/answer-events.ts'
import type { AuthenticateServiceKey } from '../ingest/authenticate-service-key.ts'
import { awaitOutcomes, type WaitForResult } from '../ingest/await-outcomes.ts'
import type { CheckMembership } from '../ingest/check-membership.ts'
import { eventsAccepted, eventsBody, eventsRecorded } from '../ingest/event-schemas.ts'
import { identifySubmitter, type Submitter } from '../ingest/identify-submitter.ts'
import { parseEvents } from '../ingest/parse-events.ts'
import { readWaitSeconds } from '../ingest/read-prefer.ts'
import { takeEvents } from '../ingest/take-events.ts'
import { parseJsonBodies } from '../plugins/json-body.ts'
import { type App, bearer, problems } from './typed-app.ts'

/** What the route needs. */
export interface PostEvents {
  readonly authenticateKey: AuthenticateServiceKey
  readonly check: CheckAccessToken
  readonly checkMembership: CheckMembership
  readonly admit: (events: readonly AcceptedEvent[]) => Promise<Receipt[]>
  readonly waitForResult: WaitForResult
  readonly onRejected: (reason: RejectionReason) => void
  readonly now: () => number
}

const BODY_LIMIT_BYTES = 4 * 1024 * 1024
const CONTENT_TYPES = ['application/cloudevents+json', 'application/cloudevents-batch+json', 'application/json']

const schema = {
  summary: 'Take one event, or up to 1,000',
  security: bearer,
  consumes: CONTENT_TYPES,
  body: eventsBody,
  response: { 200: eventsRecorded, 202: eventsAccepted, ...problems(400, 401, 403, 413, 415, 503) },
}

/** `POST /v1/events`: CloudEvents from servers, and chat-session events from users for themselves. */
export function postEvents(app: App, dependencies: PostEvents): void {
  app.register(async (scope: App) => {
    parseJsonBodies(scope, CONTENT_TYPES, BODY_LIMIT_BYTES)
    scope.decorateRequest('submitter', null)
    scope.route({
      method: 'POST',
      url: '/v1/events',
      schema,
      bodyLimit: BODY_LIMIT_BYTES,
      // The schema is for the documentation: one bad event must not fail the whole body.
      validatorCompiler: () => (value) => ({ value }),
      // The body is only read for a credential that may send events.
      onRequest: async (request) => {
        const { authorization } = request.headers
        const submitter = await identifySubmitter(authorization, dependencies.authenticateKey, dependencies.check)
        request.setDecorator<Submitter | null>('submitter', submitter)
      },
      handler: async (request, reply) => {
        const batch = parseEvents(request.body, request.headers['content-type'] ?? '', dependencies.now())
        const taken = await takeEvents(batch, request.getDecorator<Submitter>('submitter'), dependencies)
        for (const { reason } of taken.rejected) dependencies.onRejected(reason)

        const waitSeconds = readWaitSeconds(request.headers.prefer)
        if (waitSeconds > 0 && taken.events.length > 0) {
          const outcomes = await awaitOutcomes(taken.receipts, dependencies.waitForResult, waitSeconds * 1_000)
          if (outcomes !== undefined) {
            return reply.code(200).header('preference-applied', 'wait').send(answerRecorded(taken, outcomes))
          }
        }
        return reply.code(202).send(answerAccepted(taken))
      },
    })
  })
}
