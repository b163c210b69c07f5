// panva's oidc-provider as a process, the peer for introspection and refresh: in memory, its tokens opaque, its refresh
// tokens rotated. It hands out ready-made tokens under /make, which costs nothing while time is taken.
import { generateKeyPairSync } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import Provider from 'oidc-provider'
import { z } from 'zod'
import { MapAdapter } from './map-adapter.ts'

const CLIENT = { client_id: 'bench', client_secret: 'bench-secret-of-the-peer-0123456789' }
const startMessage = z.object({})

process.once('message', async (message) => {
  startMessage.parse(message)
  const jwk = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'jwk' })
  const provider = new Provider('http://127.0.0.1', {
    adapter: MapAdapter,
    clients: [
      {
        ...CLIENT,
        grant_types: ['authorization_code', 'refresh_token'],
        redirect_uris: ['http://127.0.0.1/cb'],
        token_endpoint_auth_method: 'client_secret_post',
        id_token_signed_response_alg: 'ES256',
      },
    ],
    jwks: { keys: [{ ...jwk, alg: 'ES256', use: 'sig' }] },
    cookies: { keys: ['bench'] },
    features: { introspection: { enabled: true }, devInteractions: { enabled: false } },
    findAccount: (_context, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
    rotateRefreshToken: true,
    ttl: { AccessToken: 3_600, RefreshToken: 86_400, Grant: 86_400 },
  })

  async function make(kind: 'access' | 'refresh'): Promise<string> {
    const client = await provider.Client.find(CLIENT.client_id)
    if (client === undefined) throw new Error('the client is missing')
    const grant = new provider.Grant({ clientId: CLIENT.client_id, accountId: 'ada' })
    grant.addOIDCScope('offline_access')
    const grantId = await grant.save()
    const common = { accountId: 'ada', client, grantId, scope: 'offline_access', gty: 'authorization_code' }
    const token =
      kind === 'access' ? new provider.AccessToken(common as never) : new provider.RefreshToken(common as never)
    return token.save()
  }

  const answer = provider.callback()
  // The bench's connections wait for their turn.
  const patient = { headersTimeout: 0, requestTimeout: 0, keepAliveTimeout: 0 }
  const server = createServer(patient, (request, response) => {
    const asked = /^\/make\/(access|refresh)\/(\d+)$/.exec(request.url ?? '')
    if (asked === null) return void answer(request, response)
    const kind = asked[1] === 'access' ? 'access' : 'refresh'
    void Promise.all(Array.from({ length: Number(asked[2]) }, () => make(kind))).then((tokens) =>
      response.end(JSON.stringify(tokens)),
    )
  })
  server.listen(0, '127.0.0.1', () => {
    process.send?.({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, client: CLIENT })
  })
})
process.once('disconnect', () => process.exit(0))
