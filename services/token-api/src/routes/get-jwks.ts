import type { JWK } from 'jose'
import { z } from 'zod'
import type { App } from './typed-app.ts'

const answer = z.object({ keys: z.array(z.record(z.string(), z.string())) })

/** `GET /.well-known/jwks.json`: the public keys of access tokens; none while a shared secret signs. */
export function getJwks(app: App, keys: readonly JWK[]): void {
  const schema = { summary: 'Public keys of access tokens (RFC 7517)', response: { 200: answer } }
  const body = answer.parse({ keys })
  app.get('/.well-known/jwks.json', { schema }, async (_request, reply) => {
    reply.header('cache-control', 'public, max-age=300')
    return body
  })
}
