import { randomUUID } from 'node:crypto'
import { fastify } from 'fastify'
import { serializerCompiler, validatorCompiler, type ZodTypeProvider } from 'fastify-type-provider-zod'
import { expect, test } from 'vitest'
import { answerProblems } from '../plugins/problems.ts'
import { postReservations } from './post-reservations.ts'

test('while the gate cannot tell, nothing is held: 503, and nobody asks Postgres', async () => {
  const app = fastify().withTypeProvider<ZodTypeProvider>()
  app.setValidatorCompiler(validatorCompiler).setSerializerCompiler(serializerCompiler)
  answerProblems(app)
  const key = { id: 'key-1', scopes: ['reservations:write'], organization_id: null, expires_at: null }
  app.decorateRequest('serviceKey', null)
  app.addHook('onRequest', async (request) => request.setDecorator<typeof key | null>('serviceKey', key))
  postReservations(app, {
    checkMembership: async () => [{ member: true }],
    judge: () => ({ accepted: false, reason: 'gate_unavailable' }),
    reserve: () => expect.fail('nothing may be held'),
    showPosition: () => undefined,
    onOutcome: () => undefined,
    now: Date.now,
    newId: randomUUID,
  })
  const answer = await app.inject({
    method: 'POST',
    url: '/v1/reservations',
    headers: { authorization: 'Bearer tg_0123456789abcdef0123' },
    payload: { organization_id: randomUUID(), user_id: randomUUID(), session_id: 'chat-1', total_tokens: 1 },
  })
  expect(answer.statusCode).toBe(503)
  expect(answer.json()).toMatchObject({ reason: 'gate_unavailable' })
  expect(answer.headers['retry-after']).toBe('1')
})
