import { choosePorts } from '@tollgate/local-stack'
import { createTemporaryDir } from '@tollgate/local-stack/testing'
import { SignJWT } from 'jose'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { signSupabaseToken } from '../../../services/token-api/test/support/seed.ts'
import {
  credentialVariants,
  METADATA_VARIANTS,
  PATH_VARIANTS,
  PROTOCOL_VARIANTS,
  SMUGGLING_VARIANTS,
  type Variant,
} from './support/bypass-variants.ts'
import { openGate, startNginx, type TestGate } from './support/open-gate.ts'
import { sendRaw } from './support/raw-http.ts'

let gate: TestGate
let variants: Variant[]
beforeAll(async () => {
  gate = await openGate()
  const person = await gate.addPerson()
  const supabaseToken = await signSupabaseToken(person.userId, gate.bench.secrets.supabase)
  const libreChatToken = await new SignJWT({ id: '65f0c0ffee65f0c0ffee65f0', provider: 'openid' })
    .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
    .setExpirationTime('15m')
    .sign(new TextEncoder().encode(gate.bench.secrets.libreChat))
  const handoff = new URL(await gate.askForUrl(person)).searchParams.get('token') ?? ''
  const session = (await gate.letIn(person)).replace('__Host-tollgate=', '')
  const loot = { session, handoff, supabaseToken, libreChatToken }
  variants = [
    ...credentialVariants(loot),
    ...METADATA_VARIANTS,
    ...PATH_VARIANTS,
    ...PROTOCOL_VARIANTS,
    ...SMUGGLING_VARIANTS,
  ]
})
afterAll(() => gate.stop())

/** Sends all of them, several at a time, each on a connection of its own; names those that were answered 2xx. */
async function sendAll(port: number): Promise<string[]> {
  const passed: string[] = []
  const waiting = [...variants]
  const sender = async () => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const { statuses } = await sendRaw(port, next[1])
      if (statuses.some((status) => status >= 200 && status < 300)) passed.push(`${next[0]}: ${statuses.join(', ')}`)
    }
  }
  await Promise.all(Array.from({ length: 12 }, sender))
  return passed
}

test('none of the variants gets through, and nothing of them reaches LibreChat', async () => {
  expect(new Set(variants.map(([name]) => name)).size).toBe(variants.length)
  expect(variants.length).toBeGreaterThan(110)
  expect(await sendAll(gate.port)).toEqual([])
  // What was smuggled would have arrived before what is sent now.
  const cookie = await gate.letIn(await gate.addPerson())
  expect((await fetch(`${gate.url}/last`, { headers: { cookie } })).status).toBe(200)
  expect(gate.upstream.arrivals.map(({ method, url }) => `${method} ${url}`)).toEqual(['GET /last'])
})

test('the same variants are not all refused by an nginx that does not ask (sensitivity)', async () => {
  const temporary = createTemporaryDir()
  const { port } = await choosePorts({ port: {} })
  const open = await startNginx({
    ...gate,
    port,
    dir: temporary.dir,
    settings: { ACCESS_LOG: '/dev/null', ERROR_LOG: '/dev/null' },
    spoil: (configuration) => configuration.replace('auth_request /_tollgate/auth;', 'auth_request off;'),
  })
  try {
    expect((await sendAll(port)).length).toBeGreaterThan(30)
    expect(gate.upstream.arrivals.some(({ url }) => url === '/smuggled')).toBe(true)
  } finally {
    await open.stop()
    await temporary.remove()
  }
})
