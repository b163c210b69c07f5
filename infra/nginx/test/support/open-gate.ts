import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { choosePorts, createNginx, type Server } from '@tollgate/local-stack'
import { createTemporaryDir } from '@tollgate/local-stack/testing'
import type { Enforcement } from '@tollgate/shared/contracts'
import { expect, vi } from 'vitest'
import { call } from '../../../../services/token-api/test/support/http.ts'
import { addOrganization, addUser, signSupabaseToken } from '../../../../services/token-api/test/support/seed.ts'
import { type Bench, openBench } from '../../../../services/token-api/test/support/start-api.ts'
import { renderGate } from '../../src/render-gate.ts'
import { type EchoUpstream, startEchoUpstream } from './echo-upstream.ts'

/** Somebody who may use the chat. */
export interface Person {
  readonly userId: string
  readonly organizationId: string
}

/** The real nginx between a browser and an echo in LibreChat's place, with a token API that decides. */
export interface TestGate {
  readonly bench: Bench
  readonly upstream: EchoUpstream
  readonly port: number
  readonly url: string
  /** All that nginx and the token API have written. */
  readLogs(): { access: string; error: string }
  addPerson(organizationId?: string): Promise<Person>
  /** What `GET /api/librechat/auth` gives: the address under which the chat is for this user. */
  askForUrl(person: Person): Promise<string>
  /** Lets a person in; gives the cookie as the browser sends it. */
  letIn(person: Person): Promise<string>
  /** Publishes an enforcement state as the enforcer does. */
  enforce(organizationId: string, changes: Partial<Enforcement>): Promise<void>
  stop(): Promise<void>
}

/** The gate's and the API's settings beside those that the test needs. */
interface GateOptions {
  readonly api?: Record<string, string>
  readonly gate?: Record<string, string>
}

/** Starts everything, each on a free port. */
export async function openGate({ api = {}, gate = {} }: GateOptions = {}): Promise<TestGate> {
  const temporary = createTemporaryDir()
  const { port } = await choosePorts({ port: {} })
  const url = `http://127.0.0.1:${port}`
  const upstream = await startEchoUpstream()
  const bench = await openBench({ env: { LIBRECHAT_URL: url, ...api } })
  const logs = { ACCESS_LOG: join(temporary.dir, 'access.log'), ERROR_LOG: join(temporary.dir, 'error.log') }
  const settings = { FRAME_ANCESTORS: "'self' https://app.example.com", ...logs, ...gate }
  const nginx = await startNginx({ port, dir: temporary.dir, bench, upstream, settings })

  // The gate of the token API is closed until it has read what it must know.
  await vi.waitFor(async () => expect((await call(bench.api.url, '/readyz')).status).toBe(200), { timeout: 30_000 })

  const askForUrl = async ({ userId }: Person) => {
    const token = await signSupabaseToken(userId, bench.secrets.supabase)
    const { status, body } = await call<{ url: string }>(bench.api.url, '/api/librechat/auth', { token })
    if (status !== 200) throw new Error(`no way into the chat: ${status}`)
    return body.url
  }
  const addPerson = async (organizationId?: string) => {
    const organization = organizationId ?? (await addOrganization(bench.db))
    return { organizationId: organization, userId: await addUser(bench.db, organization) }
  }
  return {
    bench,
    upstream,
    port,
    url,
    readLogs: () => ({ access: readFileSync(logs.ACCESS_LOG, 'utf8'), error: readFileSync(logs.ERROR_LOG, 'utf8') }),
    addPerson,
    askForUrl,
    letIn: async (person) => cookieOf(await fetch(await askForUrl(person), { redirect: 'manual' })),
    enforce: async (organization_id, changes) => {
      const state = { state: 'active', version: 0, revision: '100', reason: null, decision_id: null, ...changes }
      const message = { organization_id, period_end: '2026-12-01T00:00:00+00:00', reduced_config: null, ...state }
      await bench.redis.publish(`${bench.namespace}:enforcement`, JSON.stringify(message))
    },
    stop: async () => {
      await nginx.stop()
      await upstream.stop()
      await bench.stop()
      await temporary.remove()
    },
  }
}

/** Between what an nginx stands, and what it shall do. */
interface NginxPlace {
  readonly port: number
  readonly dir: string
  readonly bench: Bench
  readonly upstream: EchoUpstream
  readonly settings: Record<string, string>
  /** Breaks the configuration on purpose. */
  readonly spoil?: (configuration: string) => string
}

/** Starts the gate's nginx; `openGate` does it for the tests that need one alone. */
export async function startNginx({ port, dir, bench, upstream, settings, spoil }: NginxPlace): Promise<Server> {
  const http = renderGate({
    TOKEN_API: new URL(bench.api.url).host,
    LIBRECHAT: `127.0.0.1:${upstream.port}`,
    LISTEN: `127.0.0.1:${port}`,
    ...settings,
  })
  const nginx = createNginx({ dir, http: spoil?.(http) ?? http, port })
  await nginx.start()
  return nginx
}

/** `name=value` of the session cookie that an answer sets. */
export function cookieOf(answer: Response): string {
  const [cookie] = answer.headers.getSetCookie()
  const pair = cookie?.split(';', 1)[0]
  if (pair === undefined) throw new Error(`no session was opened: ${answer.status}`)
  return pair
}
