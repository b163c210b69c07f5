import { reservationAnswer, reservationRequest } from '@tollgate/shared/contracts'
import type { AuthenticateServiceKey } from '../ingest/authenticate-service-key.ts'
import { authorizeHolds } from '../reservations/authorize-holds.ts'
import { type HoldOptions, hold } from '../reservations/hold.ts'
import { readIdempotencyKey } from '../reservations/read-idempotency-key.ts'
import { type App, bearer, problems, writeAsTyped } from './typed-app.ts'

/** What the route needs. */
export interface PostReservations extends HoldOptions {
  readonly authenticateKey: AuthenticateServiceKey
}

/** `POST /v1/reservations`: holds LLM tokens for a call that is about to begin, or says why not. */
export function postReservations(app: App, dependencies: PostReservations): void {
  const schema = {
    summary: 'Hold LLM tokens before a call',
    security: bearer,
    body: reservationRequest,
    response: { 201: reservationAnswer, ...problems(400, 401, 403, 413, 415, 422, 429, 503) },
  }
  app.post('/v1/reservations', { schema, serializerCompiler: writeAsTyped }, async ({ body, headers }, reply) => {
    const key = await authorizeHolds(headers.authorization, dependencies.authenticateKey)
    const idempotencyKey = readIdempotencyKey(headers['idempotency-key'])
    return reply.code(201).send(await hold({ asked: body, key, idempotencyKey }, reply, dependencies))
  })
}
