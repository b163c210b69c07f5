import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { migrationsDir } from '@tollgate/local-stack'
import { createTemporaryDir, startTestStack, type TemporaryDir } from '@tollgate/local-stack/testing'
import pg from 'pg'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { runDemo } from '../src/demo/run-demo.ts'

// The demo's own audit (file = ledger = usage_metrics = chat_sessions, per organization and in all) while servers die.
const REQUESTS = 5_000
const BATCHES = REQUESTS / 100

type Stack = Awaited<ReturnType<typeof startTestStack>>
let stack: Stack
let temporary: TemporaryDir

async function open(): Promise<void> {
  stack = await startTestStack()
  temporary = createTemporaryDir()
}
async function close(): Promise<void> {
  await stack.stop()
  await temporary.remove()
}

const replay = (onBatch?: (answered: number) => Promise<void>) =>
  runDemo({
    stack: stack.describe(),
    windowFile: join(temporary.dir, 'demo.json'),
    requests: REQUESTS,
    fitLimits: true,
    ...(onBatch ? { onBatch } : {}),
  })

/** Kills a server without warning once a third of the batches is answered, and starts it again while others go on. */
function killOnce(server: { kill(signal: 'SIGKILL'): Promise<unknown>; start(): Promise<unknown> }) {
  let isKilled = false
  return async (answered: number): Promise<void> => {
    if (isKilled || answered < BATCHES / 3) return
    isKilled = true
    await server.kill('SIGKILL')
    await server.start()
  }
}

async function ledgerRows(): Promise<number> {
  const client = new pg.Client(stack.databaseUrl)
  await client.connect()
  const { rows } = await client.query('select count(*)::int as n from tollgate.usage_events')
  await client.end()
  return rows[0].n
}

describe('the demo ends with equal totals', () => {
  // One stack, each test on what the one before has left: the same file, once more.
  describe('on one stack', () => {
    beforeAll(open)
    afterAll(close)

    it('though the usage worker is killed in the middle', async () => {
      const result = await replay(killOnce(stack.services['usage-worker']))
      expect(result.problems).toEqual([])
      expect(await ledgerRows()).toBe(REQUESTS)
    })

    it('and adds nothing when it is run again', async () => {
      const again = await replay()
      expect(again.problems).toEqual([])
      expect(again.events).toMatchObject({ sent: REQUESTS, recorded: 0, duplicate: REQUESTS })
    })

    it('but not in a build that updates the rollups before it looks for duplicates', async () => {
      await breakIngestion()
      const again = await replay()
      expect(again.ok).toBe(false)
      expect(again.problems.join('\n')).toMatch(/usage_metrics/)
    })
  })

  describe('on a stack of its own', () => {
    beforeEach(open)
    afterEach(close)

    it('though Redis is killed in the middle', async () => {
      const result = await replay(killOnce(stack.redis))
      expect(result.problems).toEqual([])
      expect(await ledgerRows()).toBe(REQUESTS)
    })

    it('though Postgres is killed in the middle', async () => {
      const result = await replay(killOnce(stack.postgres))
      expect(result.problems).toEqual([])
      expect(await ledgerRows()).toBe(REQUESTS)
    })
  })
})

async function breakIngestion(): Promise<void> {
  const migration = readFileSync(join(migrationsDir, '20261101000100_tollgate.sql'), 'utf8')
  const sound = /create function public\.ingest_usage[\s\S]*?\n\$\$;/.exec(migration)?.[0] ?? ''
  const broken = sound
    .replace('create function', 'create or replace function')
    .replace('tollgate.roll_up_days(entries)', 'tollgate.roll_up_days(judged)')
  expect(broken).toContain('roll_up_days(judged)')
  const client = new pg.Client(stack.databaseUrl)
  await client.connect()
  await client.query(broken)
  await client.end()
}
