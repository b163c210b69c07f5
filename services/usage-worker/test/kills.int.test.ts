import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { migrationsDir, type Stack } from '@tollgate/local-stack'
import { startTestStack } from '@tollgate/local-stack/testing'
import { Redis } from 'ioredis'
import pg from 'pg'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { expectedTotals, type Load, makeLoad, readTotals, sendUntilAccepted } from './support/kill-load.ts'

// The long run: TOLLGATE_KILLS=200 TOLLGATE_KILL_EVENTS=100000 pnpm test services/usage-worker/test/kills
const KILLS = Number(process.env.TOLLGATE_KILLS ?? 24)
const EVENTS = Number(process.env.TOLLGATE_KILL_EVENTS ?? 8_000)
const SENDERS = 4
const patient = { timeout: 120_000, interval: 200 }

let stack: Stack
let db: pg.Pool
beforeAll(async () => {
  stack = await startTestStack({ env: { ...process.env, LOG_LEVEL: 'warn' } })
  db = new pg.Pool({ connectionString: stack.databaseUrl, max: 1 })
  db.on('error', () => undefined)
})
beforeEach(async () => {
  await db.query(`truncate tollgate.usage_event_identities, tollgate.usage_events, public.usage_metrics,
    tollgate.usage_by_model, public.chat_sessions, tollgate.period_totals, tollgate.event_inbox, tollgate.dead_letters`)
})
afterAll(async () => {
  await db.end()
  await stack.stop()
})

/** Sends all batches over several senders; each waits until the run has come as far as the batch. */
async function send({ batches }: Load, progress: () => number): Promise<void> {
  let next = 0
  const sender = async () => {
    for (let index = next++; index < batches.length; index = next++) {
      while (progress() < index / batches.length) await delay(20)
      await sendUntilAccepted(stack, batches[index] ?? '')
    }
  }
  await Promise.all(Array.from({ length: SENDERS }, sender))
}

/** Kills and starts each of the processes again and again, each by itself, so that several may be down at a time. */
async function killAround(kills: number, onKill: () => void): Promise<void> {
  let done = 0
  const victims = [stack.services['usage-worker'], stack.services['token-api'], stack.redis, stack.postgres]
  const reap = async (victim: { kill(signal: 'SIGKILL'): Promise<void>; start(): Promise<void> }) => {
    while (done < kills) {
      done++
      await delay(Math.random() * 400)
      await victim.kill('SIGKILL')
      onKill()
      await delay(Math.random() * 200)
      await victim.start()
    }
  }
  await Promise.all(victims.map(reap))
}

test(`${KILLS} kills of worker, API, Redis and Postgres over ${EVENTS} events: nothing lost, nothing doubled`, {
  timeout: 600_000,
}, async () => {
  const load = makeLoad(stack, EVENTS)
  let kills = 0
  await Promise.all([
    send(load, () => kills / KILLS),
    killAround(KILLS, () => {
      kills++
    }),
  ])
  expect(kills).toBeGreaterThanOrEqual(KILLS)
  // A client that did not hear an answer repeats; every identity is known by now, or soon.
  for (const batch of load.batches.slice(0, 5)) await sendUntilAccepted(stack, batch)
  await expect.poll(() => readTotals(db), patient).toEqual(expectedTotals(load))
})

test('a Redis that is wiped three times during load loses nothing that was answered 200, and says so', async () => {
  const load = makeLoad(stack, 3_000)
  const recorded: string[] = []
  const redis = new Redis(stack.redisUrl)
  let wipes = 0
  const before = await rollbacks()
  const wiping = (async () => {
    for (; wipes < 3; wipes++) {
      const sent = recorded.length
      await expect.poll(() => recorded.length, patient).toBeGreaterThan(sent + 2)
      await redis.flushall()
      await expect.poll(() => rollbacks(), patient).toBeGreaterThan(before + wipes)
    }
  })()
  let next = 0
  const sender = async () => {
    // Until Redis was wiped often enough: what is sent again is known already, and counts once.
    for (let turn = next++; turn < load.batches.length || wipes < 3; turn = next++) {
      const batch = load.batches[turn % load.batches.length] ?? ''
      // 202 is what a wiped Redis may have lost: the client repeats until its events are recorded.
      while ((await sendUntilAccepted(stack, batch, { prefer: 'wait=2' })) !== 200) await delay(50)
      recorded.push(batch)
      if (wipes < 3) await delay(150)
    }
  }
  await Promise.all([wiping, ...Array.from({ length: SENDERS }, sender)])
  redis.disconnect()
  expect(await readTotals(db)).toEqual(expectedTotals(load))
})

// Last, since it leaves the broken function behind.
test('the same harness goes red on a build that counts before it looks for duplicates', async () => {
  const migration = readFileSync(join(migrationsDir, '20261101000100_tollgate.sql'), 'utf8')
  const sound = /create function public\.ingest_usage[\s\S]*?\n\$\$;/.exec(migration)?.[0] ?? ''
  const broken = sound
    .replace('create function', 'create or replace function')
    .replace('tollgate.roll_up_days(entries)', 'tollgate.roll_up_days(judged)')
  expect(broken).toContain('roll_up_days(judged)')
  await db.query(broken)
  const load = makeLoad(stack, 1_000)
  await send(load, () => 1)
  await expect.poll(async () => (await readTotals(db)).distinct_events, patient).toBe(load.events)
  for (const batch of load.batches) await sendUntilAccepted(stack, batch, { prefer: 'wait=10' })
  const totals = await readTotals(db)
  expect(totals).not.toEqual(expectedTotals(load))
  expect(totals.usage_metrics).toBeGreaterThan(load.tokens)
})

async function rollbacks(): Promise<number> {
  const text = await fetch(`${stack.services['usage-worker'].url}/metrics`).then((response) => response.text())
  return Number(/tollgate_redis_rollbacks_total\{[^}]*\} (\d+)/.exec(text)?.[1] ?? 0)
}
