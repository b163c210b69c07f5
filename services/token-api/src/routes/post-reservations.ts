import { reservationAnswer, reservationRequest } from '@tollgate/shared/contracts'
import type { ServiceKey } from '../ingest/authenticate-service-key.ts'
import { type HoldOptions, hold } from '../reservations/hold.ts'
import { readIdempotencyKey } from '../reservations/read-idempotency-key.ts'
import { type App, bearer, problems, writeAsTyped } from './typed-app.ts'

/** `POST /v1/reservations`: holds LLM tokens for a call that is about to begin, or says why not. */
export function postReservations(app: App, dependencies: HoldOptions): void {
  const schema = {
    summary: 'Hold LLM tokens before a call',
    security: bearer,
    body: reservationRequest,
    response: { 201: reservationAnswer, ...problems(400, 401, 403, 413, 415, 422, 429, 503) },
  }
  app.post('/v1/reservations', { schema, serializerCompiler: writeAsTyped }, async (request, reply) => {
    const { body, headers } = request
    const key = request.getDecorator<ServiceKey>('serviceKey')
    const idempotencyKey = readIdempotencyKey(headers['idempotency-key'])
    return reply.code(201).send(await hold({ asked: body, key, idempotencyKey }, reply, dependencies))
  })
}
