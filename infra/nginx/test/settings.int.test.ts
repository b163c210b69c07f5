import { spawnSync } from 'node:child_process'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { choosePorts, createNginx } from '@tollgate/local-stack'
import { createTemporaryDir, type TemporaryDir } from '@tollgate/local-stack/testing'
import { positionsKey } from '@tollgate/shared/contracts'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { renderGate } from '../src/render-gate.ts'
import { openGate, type TestGate } from './support/open-gate.ts'

// createNginx puts each configuration to `nginx -t` first, and throws what it says.
describe('nginx takes the configuration', () => {
  let temporary: TemporaryDir
  let tls: Record<string, string>
  beforeAll(() => {
    temporary = createTemporaryDir()
    tls = { TLS_CERTIFICATE: join(temporary.dir, 'a.pem'), TLS_CERTIFICATE_KEY: join(temporary.dir, 'a.key') }
    const made = ['-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=chat.test']
    const files = ['-out', tls.TLS_CERTIFICATE ?? '', '-keyout', tls.TLS_CERTIFICATE_KEY ?? '']
    expect(spawnSync('openssl', ['req', ...made, ...files]).status).toBe(0)
  })
  afterAll(() => temporary.remove())

  const logs = { ACCESS_LOG: '/dev/null', ERROR_LOG: '/dev/null' }
  const take = (settings: Record<string, string>) =>
    createNginx({ dir: join(temporary.dir, 'nginx'), http: renderGate({ ...logs, ...settings }), port: 0 })

  test('with the defaults', () => {
    expect(() => take({})).not.toThrow()
  })
  test('with TLS, names and every choice', () => {
    const choices = { CHAT_EMBEDDING: 'cross-site', LOGIN_PAGE: 'openid', FORWARDED_PROTO: 'https', MAX_BODY: '1g' }
    const names = { LISTEN: '8443 ssl http2', SERVER_NAME: 'chat.test *.chat.test', FRAME_ANCESTORS: "'none'" }
    expect(() => take({ ...tls, ...choices, ...names })).not.toThrow()
  })
  test('and says what is wrong with one that it does not take', () => {
    expect(() => take({ LISTEN: 'nowhere:x' })).toThrow(/nginx refuses its configuration[\s\S]*nowhere/)
  })
})

describe('LOGIN_PAGE=openid', () => {
  let gate: TestGate
  beforeAll(async () => {
    gate = await openGate({ gate: { LOGIN_PAGE: 'openid' }, api: { JWT_ACCESS_TOKEN_EXPIRY: '1h' } })
  })
  afterAll(() => gate.stop())

  test("leads from LibreChat's login page to its OpenID Connect sign-in, which asks the gate", async () => {
    const visit = (path: string, headers = {}) => fetch(gate.url + path, { redirect: 'manual', headers })
    const page = await visit('/login?redirect_to=%2Fc%2Fnew')
    expect([page.status, new URL(page.headers.get('location') ?? '', gate.url).pathname]).toEqual([
      303,
      '/oauth/openid',
    ])
    expect((await visit('/oauth/openid')).status).toBe(401)
    const cookie = await gate.letIn(await gate.addPerson())
    expect((await visit('/oauth/openid', { cookie })).status).toBe(200)
    // A sign-in that has just failed must not begin anew by itself.
    expect((await visit('/login?redirect=false&error=auth_failed', { cookie })).status).toBe(403)
    expect((await visit('/register', { cookie })).status).toBe(403)
  })

  test('who has a session is told what remains of the month', async () => {
    const person = await gate.addPerson()
    const cookie = await gate.letIn(person)
    const now = Date.now()
    const position = {
      organization_id: person.organizationId,
      limit_tokens: '1000',
      used_tokens: '400',
      reserved_tokens: '100',
      period_start: new Date(now - 86_400_000).toISOString(),
      period_end: new Date(now + 86_400_000).toISOString(),
      as_of_ms: now,
    }
    await gate.bench.redis.publish(positionsKey(gate.bench.namespace), JSON.stringify([position]))
    await vi.waitFor(
      async () => {
        const { headers } = await fetch(`${gate.url}/c/new`, { headers: { cookie } })
        expect(headers.get('ratelimit-policy')).toMatch(/^"monthly-tokens";q=1000;w=\d+$/)
        expect(headers.get('ratelimit')).toMatch(/^"monthly-tokens";r=500;t=\d+$/)
      },
      { timeout: 10_000, interval: 50 },
    )
  })
})

describe('with several instances of the token API', () => {
  /** Takes requests and dies on each of them without an answer; counts them. */
  async function openDying() {
    let count = 0
    const server = createServer((socket) => {
      socket
        .on('error', () => undefined)
        .once('data', () => {
          count += 1
          socket.destroy()
        })
    })
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
    const address = server.address()
    const port = typeof address === 'object' ? address?.port : undefined
    return { address: `127.0.0.1:${port}`, count: () => count, stop: () => server.close() }
  }

  /** How often a link was sent on in all, when no instance answers. */
  async function countSent(spoil: (configuration: string) => string): Promise<number> {
    const temporary = createTemporaryDir()
    const dying = await Promise.all([openDying(), openDying()])
    const [one, other] = dying.map(({ address }) => address)
    const { port } = await choosePorts({ port: {} })
    const logs = { ACCESS_LOG: '/dev/null', ERROR_LOG: '/dev/null' }
    const nginx = createNginx({
      dir: temporary.dir,
      port,
      http: spoil(
        renderGate({ TOKEN_API: one, LISTEN: `127.0.0.1:${port}`, ...logs }).replace(
          `server ${one};`,
          `server ${one}; server ${other};`,
        ),
      ),
    })
    await nginx.start()
    try {
      expect((await fetch(`http://127.0.0.1:${port}/?token=eyJhbGciOiJIUzI1NiJ9.e30.x&org=acme`)).status).toBe(503)
      return dying.reduce((sum, { count }) => sum + count(), 0)
    } finally {
      await nginx.stop()
      for (const { stop } of dying) stop()
      await temporary.remove()
    }
  }

  test('a link is sent to one of them, once: sent again it would look stolen', async () => {
    expect(await countSent((configuration) => configuration)).toBe(1)
    // Sensitivity: nginx by itself tries the next one.
    expect(await countSent((configuration) => configuration.replace('proxy_next_upstream off;', ''))).toBe(2)
  })
})
