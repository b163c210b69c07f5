import { type ChildProcess, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { call } from './support/http.ts'
import { logIn, type TestLogin } from './support/login.ts'
import { addKey } from './support/seed.ts'
import { type Bench, openBench, startApi, type TestApi } from './support/start-api.ts'

const ENFORCER = join(import.meta.dirname, '../../quota-enforcer/src/main.ts')

let bench: Bench
let second: TestApi
let enforcer: ChildProcess
let operator: string
beforeAll(async () => {
  bench = await openBench()
  second = await startApi(bench.env)
  const { REDIS_URL, REDIS_NAMESPACE } = bench.env
  enforcer = spawn(process.execPath, [ENFORCER], {
    env: { PATH: process.env.PATH, REDIS_URL, REDIS_NAMESPACE, DATABASE_URL: bench.enforcerUrl, PORT: '0' },
    stdio: 'ignore',
  })
  operator = await addKey(bench.db, ['enforcement:write'])
  // The first time all that was started has to be up, and to know of each other.
  const { organization } = await logIn(bench)
  await vi.waitFor(async () => expect((await order(organization, 'revoke')).status).toBe(200), 60_000)
}, 120_000)
afterAll(async () => {
  enforcer.kill('SIGKILL')
  if (enforcer.exitCode === null && enforcer.signalCode === null) await once(enforcer, 'exit')
  await second.stop()
  await bench.stop()
})

/** An order for an organization, or for `<organization>/users/<user>`. */
const order = (target: string, action: string, key: string = randomUUID()) =>
  call(bench.api.url, `/v1/organizations/${target}/enforcement`, {
    method: 'POST',
    token: operator,
    json: { action, reason: 'test' },
    headers: { 'idempotency-key': key },
  })
/** On a busy machine the enforcer may need longer than an answer waits: the request is repeated then, as clients do. */
async function orderUntilInForce(target: string, action: string) {
  const key = randomUUID()
  for (let tries = 0; tries < 10; tries++) {
    const { status, body } = await order(target, action, key)
    if (status === 200) return body
    expect(status).toBe(202)
  }
  throw new Error('nothing comes into force')
}
const statuses = ({ token }: TestLogin) =>
  Promise.all([bench.api, second].map(async ({ url }) => (await call(url, '/api/auth/verify', { token })).status))

test('an organization is revoked on every instance by the time the call is answered, and restored likewise', async () => {
  for (let round = 0; round < 10; round++) {
    const login = await logIn(bench)
    expect(await statuses(login)).toEqual([200, 200])
    expect(await orderUntilInForce(login.organization, 'revoke')).toMatchObject({ in_force: true })
    expect(await statuses(login)).toEqual([403, 403])
    await orderUntilInForce(login.organization, 'clear')
    // Older tokens stay superseded; a new one is good.
    expect(await statuses(await logIn(bench, login))).toEqual([200, 200])
  }
}, 60_000)

test('one user is revoked likewise, and no colleague', async () => {
  for (let round = 0; round < 5; round++) {
    const login = await logIn(bench)
    const colleague = await logIn(bench, { organization: login.organization })
    const target = `${login.organization}/users/${login.user}`
    expect(await orderUntilInForce(target, 'revoke')).toMatchObject({ in_force: true })
    expect(await statuses(login)).toEqual([403, 403])
    expect(await statuses(colleague)).toEqual([200, 200])
    await orderUntilInForce(target, 'clear')
    expect(await statuses(await logIn(bench, login))).toEqual([200, 200])
  }
}, 60_000)

test('while the enforcer is away the answer says that it is on record alone (and without it nothing is in force)', async () => {
  const login = await logIn(bench)
  const key = randomUUID()
  let decision: unknown
  enforcer.kill('SIGSTOP')
  try {
    const answer = await order(login.organization, 'revoke', key)
    expect(answer).toMatchObject({ status: 202, body: { in_force: false } })
    decision = answer.body.decision_id
    expect(await statuses(login)).toEqual([200, 200])
  } finally {
    enforcer.kill('SIGCONT')
  }
  await vi.waitFor(async () => expect(await statuses(login)).toEqual([403, 403]), 15_000)
  // A repetition of the same order is told how it ended, not what was answered before.
  await vi.waitFor(async () => {
    const body = { in_force: true, decision_id: decision }
    expect(await order(login.organization, 'revoke', key)).toMatchObject({ status: 200, body })
  }, 15_000)
}, 60_000)
