import { once } from 'node:events'
import http from 'node:http'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { z } from 'zod'
import { choosePorts } from '../ports.ts'
import { startGateway } from './supabase-gateway.ts'

const echoed = z.object({ path: z.string().default(''), authorization: z.string().default('') })
const keys = {
  jwtSecret: 'a-secret-of-enough-length-for-this-1',
  publishableKey: 'sb_publishable_x',
  secretKey: 'sb_secret_y',
}
const upstream = http.createServer((request, response) => {
  const { authorization } = request.headers
  response.end(JSON.stringify({ path: request.url, authorization }))
})
let url = ''
let gateway: { close(): Promise<void> }
beforeAll(async () => {
  upstream.listen(0, '127.0.0.1')
  await once(upstream, 'listening')
  const address = upstream.address()
  const behind = address !== null && typeof address !== 'string' ? address.port : 0
  const { port } = await choosePorts({ port: {} })
  gateway = await startGateway({ port, upstreams: { '/rest/v1': behind }, keys })
  url = `http://127.0.0.1:${port}`
})
afterAll(async () => {
  await gateway.close()
  upstream.close()
})

const ask = async (path: string, headers: Record<string, string>) => {
  const response = await fetch(url + path, { headers })
  return { status: response.status, body: echoed.parse(await response.json()) }
}
const roleOf = (authorization: string) =>
  JSON.parse(Buffer.from(authorization.split('.')[1] ?? '', 'base64url').toString()).role

test('an API key becomes the token of its role, with and without standing in the place of a token', async () => {
  const anon = await ask('/rest/v1/rpc/f?x=1', { apikey: keys.publishableKey })
  expect(anon.body.path).toBe('/rpc/f?x=1')
  expect(roleOf(anon.body.authorization)).toBe('anon')
  const secret = await ask('/rest/v1/t', { apikey: keys.secretKey, authorization: `Bearer ${keys.secretKey}` })
  expect(roleOf(secret.body.authorization)).toBe('service_role')
})

test("a user's own token is handed on", async () => {
  const { body } = await ask('/rest/v1/t', { apikey: keys.publishableKey, authorization: 'Bearer a.b.c' })
  expect(body.authorization).toBe('Bearer a.b.c')
})

test('an unknown key, no key and an unknown path are refused', async () => {
  expect((await ask('/rest/v1/t', { apikey: 'sb_secret_z' })).status).toBe(401)
  expect((await ask('/rest/v1/t', {})).status).toBe(401)
  expect((await ask('/storage/v1/t', { apikey: keys.secretKey })).status).toBe(404)
})
