import { execFile, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { makeWebhookSecret } from '@tollgate/shared/webhooks'
import { Webhook } from 'standardwebhooks'
import { afterAll, beforeAll, expect, test } from 'vitest'

const dir = mkdtempSync(join(tmpdir(), 'tollgate-https-'))
const [key, certificate] = [join(dir, 'key.pem'), join(dir, 'certificate.pem')]
const received: { headers: Record<string, string>; body: string }[] = []
let server: Server
beforeAll(async () => {
  const made = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '1']
  const names = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost']
  expect(spawnSync('openssl', [...made, ...names, '-keyout', key, '-out', certificate]).status).toBe(0)
  server = createServer({ key: readFileSync(key), cert: readFileSync(certificate) }, async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk)
    received.push({ headers: request.headers as Record<string, string>, body: Buffer.concat(chunks).toString() })
    response.writeHead(204).end()
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
})
afterAll(async () => {
  server.closeAllConnections()
  await new Promise((done) => server.close(done))
  rmSync(dir, { recursive: true, force: true })
})

const SENDER = new URL('../src/send-webhook.ts', import.meta.url).href
const secret = makeWebhookSecret()

/** Sends from a process of its own, since a process reads its certificate authorities once. */
async function send(host: string, env: Record<string, string>): Promise<{ delivered: boolean; error: string | null }> {
  const { port } = server.address() as AddressInfo
  const message = {
    id: 'msg_1',
    url: `https://${host}:${port}/hook`,
    body: '{"type":"quota.revoked"}',
    secrets: [secret],
  }
  const script = `import { createSendWebhook } from ${JSON.stringify(SENDER)}
    const send = createSendWebhook({ allowPrivate: true, timeoutMs: 10_000, now: Date.now })
    console.log(JSON.stringify(await send(${JSON.stringify(message)}, new AbortController().signal)))`
  const args = ['--input-type=module', '--eval', script]
  const { stdout } = await promisify(execFile)(process.execPath, args, { env: { PATH: process.env.PATH, ...env } })
  return JSON.parse(stdout)
}

test('an https endpoint whose authority NODE_EXTRA_CA_CERTS names gets what an independent verifier accepts', async () => {
  expect(await send('localhost', { NODE_EXTRA_CA_CERTS: certificate })).toEqual({
    ...{ delivered: true, status: 204, error: null },
  })
  const [request] = received.splice(0)
  expect(new Webhook(secret).verify(request?.body ?? '', request?.headers ?? {})).toEqual({ type: 'quota.revoked' })
})

test('a certificate that nobody vouches for, or of another name, gets nothing', async () => {
  expect(await send('localhost', {})).toMatchObject({
    ...{ delivered: false, status: null, error: expect.stringContaining('SELF_SIGNED_CERT') },
  })
  expect(await send('127.0.0.1', { NODE_EXTRA_CA_CERTS: certificate })).toMatchObject({
    ...{ delivered: false, status: null, error: expect.stringContaining('ALTNAME') },
  })
  expect(received).toEqual([])
})
