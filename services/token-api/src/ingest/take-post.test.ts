import { setImmediate as nextTurn } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { type EventOutcome, packOutcomes, type UsageEventsText } from '@tollgate/shared/contracts'
import { expect, test } from 'vitest'
import { createAdmission } from './admit-events.ts'
import { answerAccepted, answerRecorded } from './answer-events.ts'
import { awaitOutcomes } from './await-outcomes.ts'
import { takePost } from './take-post.ts'

const ORGANIZATION = '00000000-0000-4000-8000-000000000001'
const USER = '00000000-0000-4000-8000-0000000000a1'
const KEY = { id: 'key-1', scopes: ['events:write'], organization_id: ORGANIZATION, expires_at: null }

const envelope = (type: string, id: string) => ({ specversion: '1.0', type, source: 'chat', id })
const someone = { organization_id: ORGANIZATION, user_id: USER, session_id: 'chat-1' }
const usage = (id: string) => ({
  ...envelope('tollgate.usage.recorded.v1', id),
  data: { ...someone, model: 'gpt-4o', input_tokens: 1, output_tokens: 2 },
})
const ended = (id: string) => ({
  ...envelope('tollgate.session.ended.v1', id),
  data: { ...someone, reason: 'closed' },
})

/** Takes posts in; Redis answers when `store` is called. */
function open(isUrgent: (id: string) => boolean = () => false) {
  const { promise: stored, resolve: store } = Promise.withResolvers<void>()
  const jobs = new Map<string, UsageEventsText>()
  const admitted: WeakRef<object>[] = []
  const { admit } = createAdmission({
    producer: {
      add: async (job, { jobId }) => {
        if (!('text' in job)) throw new TypeError('these events are not written')
        jobs.set(jobId, job)
        await stored
      },
    },
    park: async () => undefined,
    shards: 1,
    isUrgent: ({ id }) => isUrgent(id),
    acceptOn: 'redis',
    now: () => 0,
    newId: () => `job-${jobs.size}-${Math.random()}`,
    onAccepted: () => undefined,
    onError: () => undefined,
  })
  const take = (body: unknown, { waits = false } = {}) =>
    takePost(
      { body, contentType: 'application/json', submitter: { kind: 'server', key: KEY }, waits },
      { getHeader: () => undefined, header: () => undefined },
      {
        checkMembership: async (memberships) => memberships.map(() => ({ member: true })),
        admit: (events, how) => {
          admitted.push(...events.map((event) => new WeakRef(event)))
          return admit(events, how)
        },
        showPosition: () => undefined,
        onRejected: () => undefined,
        now: Date.now,
      },
    )
  return { take, store, jobs, admitted }
}

test('neither a body nor its events are kept while these wait to be on disk', async () => {
  setFlagsFromString('--expose-gc')
  const collect: () => void = runInNewContext('gc')
  const { take, store, jobs, admitted } = open()
  const begin = () => {
    const body = [usage('1'), usage('2')]
    return { taking: take(body), refs: body.flatMap((event) => [new WeakRef(event), new WeakRef(event.data)]) }
  }
  const { taking, refs } = begin()
  await expect.poll(() => jobs.size).toBe(1)
  await nextTurn()
  collect()
  expect([refs.length, admitted.length]).toEqual([4, 2])
  expect([...refs, ...admitted].filter((ref) => ref.deref() !== undefined)).toEqual([])
  store()
  expect(answerAccepted(await taking)).toEqual({ accepted: 2, rejected: [] })
})

test('events of both forms, in jobs of their own, are each told their own outcome', async () => {
  const { take, store, jobs } = open((id) => id === '3')
  store()
  const bodies = [
    [usage('1'), usage('2'), usage('3')],
    [ended('4'), usage('5')],
    [usage('6'), { id: '7' }, usage('8')],
  ]
  const taken = await Promise.all(bodies.map((body) => take(body, { waits: true })))
  // Each text says which events it has: by their ids.
  const tell = async (jobId: string) => {
    const ids = jobs.get(jobId)?.text.match(/(?<=chat,|"id":")\d/g) ?? []
    const outcomes = ids.map((id): EventOutcome => ({ outcome: 'duplicate', conflict: Number(id) % 2 === 0 }))
    return { status: 'completed' as const, result: packOutcomes(outcomes) }
  }
  const answers = taken.map(async ({ awaited, rejected }) => {
    if (awaited === undefined) throw new Error('nothing is waited for')
    const outcomes = (await awaitOutcomes(awaited.receipts, tell, 1_000)) ?? []
    return answerRecorded(awaited, rejected, outcomes).results.map(({ id, conflict }) => [id, conflict])
  })
  expect(await Promise.all(answers)).toEqual([
    [
      ['1', false],
      ['2', true],
      ['3', false],
    ],
    [
      ['4', true],
      ['5', false],
    ],
    [
      ['6', true],
      ['8', true],
    ],
  ])
  const forms = [...jobs.values()].map(({ form, count }) => `${form} ${count}`)
  expect(forms.toSorted()).toEqual(['objects 2', 'rows 1', 'rows 4'])
})
