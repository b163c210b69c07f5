import { randomUUID } from 'node:crypto'
import {
  type AcceptedEvent,
  type EventOutcome,
  isEventsText,
  listEvents,
  packOutcomes,
} from '@tollgate/shared/contracts'
import { QueueError, shardOf } from '@tollgate/shared/queues'
import fc from 'fast-check'
import { beforeEach, describe, expect, test } from 'vitest'
import { createAdmission } from './admit-events.ts'
import { awaitOutcomes } from './await-outcomes.ts'

const SHARDS = 4

let nowMs: number
let jobs: Map<string, AcceptedEvent[]>
let parked: AcceptedEvent[]
let redis: 'up' | 'unavailable' | 'ambiguous' | 'invalid'
let isPostgresAway: boolean
let adds: number
let errors: unknown[]
let urgent: string[]

beforeEach(() => {
  nowMs = 1_000
  jobs = new Map()
  parked = []
  redis = 'up'
  isPostgresAway = false
  adds = 0
  errors = []
  urgent = []
})

const open = (acceptOn: 'redis' | 'postgres' = 'redis') =>
  createAdmission({
    acceptOn,
    producer: {
      add: async (data, { jobId, shard, isUrgent }) => {
        adds++
        if (redis !== 'up') throw new QueueError(redis, 'no')
        if (!isEventsText(data)) throw new TypeError('these events are not written')
        const events = listEvents(data)
        for (const event of events) expect(shardOf(event.organization_id, SHARDS)).toBe(shard)
        jobs.set(jobId, events)
        if (isUrgent) urgent.push(...events.map(({ id }) => id))
      },
    },
    park: async ({ json }) => {
      if (isPostgresAway) throw new Error('away')
      parked.push(...JSON.parse(json).events)
    },
    shards: SHARDS,
    isUrgent: ({ id }) => id.startsWith('urgent'),
    now: () => nowMs,
    newId: () => `job-${adds}-${Math.random()}`,
    onAccepted: () => undefined,
    onError: (error) => errors.push(error),
  })

const event = (id: string, organization = 0): AcceptedEvent => ({
  type: 'session.ended',
  source: 'test',
  id,
  time: '2026-11-23T10:00:00.000Z',
  received_at: '2026-11-23T10:00:00.000Z',
  member: true,
  organization_id: `organization-${organization}`,
  user_id: 'user-1',
  session_id: 'session-1',
  reason: 'closed',
})

const usage = (id: string): Extract<AcceptedEvent, { type: 'usage.recorded' }> => ({
  type: 'usage.recorded',
  source: 'test',
  id,
  time: '2026-11-23T10:00:00.000Z',
  received_at: '2026-11-23T10:00:00.000Z',
  member: true,
  organization_id: randomUUID(),
  user_id: randomUUID(),
  session_id: 'session-1',
  model: 'gpt-4o',
  input_tokens: 3,
  output_tokens: 2,
  cache_read_input_tokens: 1,
  cache_creation_input_tokens: 0,
  reasoning_output_tokens: 0,
  message_count: 1,
})

/** Tells each event's own id as its outcome. */
const tellIds = async (jobId: string) => ({
  status: 'completed' as const,
  result: packOutcomes(
    (jobs.get(jobId) ?? []).map(({ id }): EventOutcome => {
      return Number(id) % 2 === 0 ? { outcome: 'recorded' } : { outcome: 'duplicate', conflict: Number(id) % 3 === 0 }
    }),
  ),
})

test('each of many merged requests gets the outcomes of its own events, in its own order', async () => {
  const requests = fc.array(fc.array(fc.nat(9), { minLength: 1, maxLength: 30 }), { minLength: 1, maxLength: 20 })
  await fc.assert(
    fc.asyncProperty(requests, async (organizations) => {
      jobs = new Map()
      const admission = open()
      let next = 0
      const sent = organizations.map((list) => list.map((organization) => event(String(next++), organization)))
      await Promise.all(
        sent.map(async (events) => {
          const receipts = await admission.admit(events)
          const outcomes = await awaitOutcomes(receipts, tellIds, 1_000)
          const expected = events.map(({ id }) => (Number(id) % 2 === 0 ? 'recorded' : 'duplicate'))
          expect(outcomes?.map(({ outcome }) => outcome)).toEqual(expected)
        }),
      )
      const stored = [...jobs.values()].flat().map(({ id }) => id)
      expect(stored.toSorted()).toEqual(
        sent
          .flat()
          .map(({ id }) => id)
          .toSorted(),
      )
    }),
    { numRuns: 50 },
  )
})

test('concurrent requests are merged into few jobs, of a thousand events at most', async () => {
  const admission = open()
  const batch = Array.from({ length: 30 }, (_, index) => event(String(index)))
  await Promise.all(Array.from({ length: 100 }, () => admission.admit(batch)))
  expect(jobs.size).toBeLessThanOrEqual(6)
  for (const events of jobs.values()) expect(events.length).toBeLessThanOrEqual(1_000)
})

test('what is urgent goes in jobs of its own, which are marked, and each event keeps its place', async () => {
  const receipts = await open().admit([event('1'), event('urgent-2'), event('3'), event('urgent-4')])
  expect([...jobs.values()].map((events) => events.map(({ id }) => id))).toEqual([
    ['1', '3'],
    ['urgent-2', 'urgent-4'],
  ])
  expect(urgent).toEqual(['urgent-2', 'urgent-4'])
  expect(receipts.map(({ positions }) => positions)).toEqual([
    [0, 2],
    [1, 3],
  ])
})

describe('when Redis does not take a batch', () => {
  test('what comes after it is parked as a whole, whatever its organizations', async () => {
    redis = 'unavailable'
    const admission = open()
    await admission.admit([event('1')])
    const many = Array.from({ length: 40 }, (_, index) => event(String(index), index))
    expect(await admission.admit(many)).toEqual([{ path: 'inbox', positions: many.map((_, position) => position) }])
    expect(parked.slice(1)).toEqual(many)
    expect(adds).toBe(1)
    ;[redis, nowMs] = ['up', nowMs + 1_000]
    await admission.admit(many)
    expect([...jobs.values()].flat()).toHaveLength(40)
  })

  test.each(['unavailable', 'ambiguous'] as const)('(%s) it is parked', async (state) => {
    redis = state
    const receipts = await open().admit([event('1'), event('2')])
    expect(receipts).toEqual([{ path: 'inbox', positions: [0, 1] }])
    expect(parked.map(({ id }) => id)).toEqual(['1', '2'])
    expect(await awaitOutcomes(receipts, tellIds, 1_000)).toBeUndefined()
  })

  test('events of both forms are parked as they are, field by field', async () => {
    const bare = usage('chat, "quoted" \\ \\" (7)')
    const full = {
      ...usage('urgent-2'),
      message_id: '""',
      provider: 'o\\',
      reservation_id: randomUUID(),
      member: false,
    }
    const all: AcceptedEvent[] = [bare, event('3'), full, event('urgent-4'), { ...usage('5'), model: 'of\ntwo lines' }]
    redis = 'unavailable'
    const fallen = open()
    const receipts = await fallen.admit(all)
    const byId = ({ id }: AcceptedEvent, other: AcceptedEvent) => id.localeCompare(other.id)
    expect(parked.toSorted(byId)).toEqual(all.toSorted(byId))
    expect(receipts.flatMap(({ positions }) => positions).toSorted()).toEqual([0, 1, 2, 3, 4])
    parked = []
    await fallen.admit(all)
    expect(parked).toEqual(all)
    parked = []
    redis = 'up'
    await open('postgres').admit(all)
    expect([parked, jobs.size]).toEqual([all, 0])
  })

  test('as much may wait for Postgres as for all shards together', async () => {
    redis = 'unavailable'
    const admission = open()
    await admission.admit([event('1')])
    const batch = Array.from({ length: 1_000 }, (_, index) => event(String(index), index))
    const settled = await Promise.allSettled(Array.from({ length: 100 }, () => admission.admit(batch)))
    const taken = settled.filter(({ status }) => status === 'fulfilled').length
    expect([taken >= 20 * SHARDS, taken < 100]).toEqual([true, true])
  })

  test('it is asked once a second, and used again as soon as it answers', async () => {
    const admission = open()
    redis = 'unavailable'
    await admission.admit([event('1')])
    for (let round = 0; round < 10; round++) await admission.admit([event('2')])
    expect(adds).toBe(1)
    nowMs += 1_000
    redis = 'up'
    expect(await admission.admit([event('3')])).toMatchObject([{ path: 'redis' }])
    expect(await admission.admit([event('4')])).toMatchObject([{ path: 'redis' }])
    expect(adds).toBe(3)
    expect(errors).toHaveLength(1)
  })

  test('nor Postgres, nothing is called accepted', async () => {
    redis = 'unavailable'
    isPostgresAway = true
    await expect(open().admit([event('1')])).rejects.toMatchObject({ code: 'unavailable', retryAfterSeconds: 1 })
  })

  test('because the job is wrong, it is not parked either', async () => {
    redis = 'invalid'
    await expect(open().admit([event('1')])).rejects.toMatchObject({ code: 'unavailable' })
    expect(parked).toEqual([])
  })
})

test('too many waiting events are refused, not piled up', async () => {
  const admission = open()
  const batch = Array.from({ length: 1_000 }, (_, index) => event(String(index)))
  const settled = await Promise.allSettled(Array.from({ length: 60 }, () => admission.admit(batch)))
  const refused = settled.filter(({ status }) => status === 'rejected')
  expect(refused.length).toBeGreaterThan(0)
  expect(refused[0]).toMatchObject({ reason: { code: 'unavailable' } })
  await admission.drain()
})

test.each([
  [{ status: 'timeout' } as const],
  [{ status: 'failed', reason: 'dead letter' } as const],
  [{ status: 'completed', result: 'what an older worker said' } as const],
  [{ status: 'completed', result: [] } as const],
])('%j gives no outcomes', async (ended) => {
  const receipts = await open().admit([event('1')])
  expect(await awaitOutcomes(receipts, async () => ended, 1)).toBeUndefined()
})

describe('accepting on Postgres', () => {
  test('parks every event and never asks Redis, whether it is there or not', async () => {
    const admission = open('postgres')
    const receipts = await Promise.all([admission.admit([event('1'), event('2', 1)]), admission.admit([event('3')])])
    expect(receipts).toEqual([[{ path: 'inbox', positions: [0, 1] }], [{ path: 'inbox', positions: [0] }]])
    expect(parked.map(({ id }) => id)).toEqual(['1', '2', '3'])
    expect(adds).toBe(0)
    isPostgresAway = true
    await expect(admission.admit([event('4')])).rejects.toMatchObject({ code: 'unavailable' })
    expect(adds).toBe(0)
  })

  test('a request that waits goes through Redis, and is parked before it is answered 202', async () => {
    const admission = open('postgres')
    const events = [event('1'), event('2', 1), event('3', 2)]
    const receipts = await admission.admit(events, { waits: true })
    expect(parked).toEqual([])
    await admission.secure(events, receipts)
    expect(parked.map(({ id }) => id).toSorted()).toEqual(['1', '2', '3'])
    isPostgresAway = true
    await expect(admission.secure(events, receipts)).rejects.toMatchObject({ code: 'unavailable' })
  })

  test('securing is needed for nothing that Redis accepts, nor for what is parked', async () => {
    const events = [event('1')]
    const onRedis = open()
    await onRedis.secure(events, await onRedis.admit(events, { waits: true }))
    const onPostgres = open('postgres')
    await onPostgres.secure(events, await onPostgres.admit(events))
    expect(parked.map(({ id }) => id)).toEqual(['1'])
  })
})
