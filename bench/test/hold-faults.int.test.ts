import { randomBytes } from 'node:crypto'
import type { Service, Stack } from '@tollgate/local-stack'
import { startTestStack } from '@tollgate/local-stack/testing'
import pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { killInTurn } from '../src/holds/kill-in-turn.ts'
import { spendLimit } from '../src/holds/spend-limit.ts'
import { spendRemainder, spendUnderFaults } from '../src/holds/spend-under-faults.ts'
import { watchLimit } from '../src/holds/watch-limit.ts'
import { formatRequest } from '../src/load/http-request.ts'
import { addPopulation } from '../src/load/population.ts'
import { openTokenSigner } from '../src/load/sign-tokens.ts'
import { spendUntilRefused } from '../src/load/spend-until-refused.ts'

const SECRET = randomBytes(36).toString('base64url')
let stack: Stack
let secondApi: Service
let db: pg.Pool
beforeAll(async () => {
  const settings = { NODE_ENV: 'production', LOG_LEVEL: 'error', RATE_LIMITS: 'off', LIBRECHAT_JWT_SECRET: SECRET }
  stack = await startTestStack({ env: { ...process.env, ...settings } })
  secondApi = await stack.addService('token-api')
  db = new pg.Pool({ connectionString: stack.databaseUrl, max: 2 })
  db.on('error', () => undefined)
})
afterAll(async () => {
  await db.end()
  await stack.stop()
})

const optionsOf = async (limit: number, seconds: number) => ({
  urls: [stack.services['token-api'].url, secondApi.url],
  key: stack.describe().ingestKey,
  members: await addPopulation(db, { organizations: 1, usersEach: 20, sessionsEach: 2, limit }),
  clients: 200,
  seconds,
  onEvent: () => undefined,
})

test('200 clients on two instances never pass one limit, whatever is killed, and nothing leaks', async () => {
  // The first requests of 200 clients ask for more than this.
  const limit = 60_000
  const options = await optionsOf(limit, 8)
  const run = await spendUnderFaults(db, limit, options, () => killInTurn(stack, secondApi, 8, 8))
  expect(run.spending.held).toBeGreaterThan(30)
  expect(run.spending.refused).toBeGreaterThan(0)
  expect(run.spending.abandoned).toBeGreaterThan(0)
  expect(run.worstExcess).toBeLessThanOrEqual(0)
  expect(run.end.lateHolds).toBe(0)
  expect(run.end.usedTokens).toBe(run.spending.usedTokens)
  expect(run.end.usedTokens).toBeLessThanOrEqual(limit)
  expect(await spendRemainder(limit, run, options)).toEqual([201, 429])
})

test('without reservations the limit is passed by at most the lag times the rate, and what is under way', async () => {
  const signer = await openTokenSigner(stack.describe(), SECRET)
  for (const limit of [2_000, 5_000]) {
    const [member] = await addPopulation(db, { organizations: 1, usersEach: 1, sessionsEach: 1, limit })
    if (member === undefined) throw new Error('nobody was added')
    await db.query(
      `insert into tollgate.quota_policies (organization_id, max_tokens, policy, updated_by)
       values ($1, $2, '{"steps": [{"at_percent": 100, "state": "revoked"}], "downgrade_to": {}}', 'test')`,
      [member.organizationId, limit],
    )
    const { urls, key, onEvent } = await optionsOf(limit, 1)
    const token = await signer.sign(member.organizationId)
    const verify = formatRequest({ method: 'GET', path: '/api/auth/verify', token })
    const found = await spendUntilRefused({ urls, key, onEvent, verify, member, limit, perSecond: 10_000 })
    expect(found.tokens).toBeGreaterThanOrEqual(0)
    expect(found.tokens).toBeLessThanOrEqual(found.boundTokens)
  }
})

test('the same harness finds an overshoot where holds are decided without their lock', async () => {
  await db.query(`create or replace function tollgate.lock_holds(organizations uuid[]) returns void
    language sql volatile security invoker set search_path = '' as 'select';
    do $$ begin execute replace(pg_get_functiondef('public.reserve_tokens'::regproc), ' for update;', ';'); end $$;
    -- What was read grows old before it is acted upon, as it would on a larger machine.
    create function tollgate.dawdle() returns trigger language plpgsql as 'begin perform pg_sleep(0.2); return null; end';
    create trigger dawdle after insert on tollgate.reservations for each statement execute function tollgate.dawdle()`)
  const limit = 20_000
  const options = await optionsOf(limit, 4)
  const [member] = options.members
  if (member === undefined) throw new Error('nobody was added')
  // Without the lock holds may leak as well: nobody waits for their end.
  const watch = watchLimit(db, member.organizationId, limit)
  await spendLimit(options)
  expect(await watch.stop()).toBeGreaterThan(0)
})
