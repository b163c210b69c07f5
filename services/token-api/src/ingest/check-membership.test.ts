import { StoreError } from '@tollgate/shared/store'
import { beforeEach, expect, test } from 'vitest'
import { type CheckMembership, createMembershipCheck } from './check-membership.ts'

let nowMs: number
let homes: Map<string, string | null>
let questions: string[][]
let lookups: string[]
let isAway: boolean
let check: CheckMembership

beforeEach(() => {
  nowMs = 1_000_000
  homes = new Map([
    ['ada', 'acme'],
    ['bruno', 'acme'],
    ['carla', 'cobalt'],
    ['lonely', null],
  ])
  questions = []
  lookups = []
  isAway = false
  const failWhenAway = () => {
    if (isAway) throw new StoreError('away', { code: 'unavailable', retryable: true })
  }
  check = createMembershipCheck({
    findMembers: async (ids) => {
      questions.push(ids)
      failWhenAway()
      return ids.flatMap((id) => {
        const organization_id = homes.get(id)
        return organization_id === undefined ? [] : [{ user_id: id, organization_id }]
      })
    },
    organizationExists: async (id) => {
      lookups.push(id)
      failWhenAway()
      return id === 'acme' || id === 'cobalt'
    },
    now: () => nowMs,
  })
})

const ask = (...pairs: [userId: string, organizationId: string][]) =>
  check(pairs.map(([userId, organizationId]) => ({ userId, organizationId })))

test('a batch is one question, whatever it holds', async () => {
  const verdicts = await ask(['ada', 'acme'], ['bruno', 'acme'], ['ada', 'acme'], ['carla', 'cobalt'])
  expect(verdicts).toEqual([{ member: true }, { member: true }, { member: true }, { member: true }])
  expect(questions).toEqual([['ada', 'bruno', 'carla']])
  expect(lookups).toEqual([])
})

test('a refusal says which of the two is wrong', async () => {
  const verdicts = await ask(
    ['carla', 'acme'],
    ['nobody', 'acme'],
    ['ada', 'nowhere'],
    ['nobody', 'nowhere'],
    ['lonely', 'acme'],
  )
  expect(verdicts).toEqual([
    { reason: 'user_not_in_organization' },
    { reason: 'unknown_user' },
    { reason: 'unknown_organization' },
    { reason: 'unknown_organization' },
    { reason: 'user_not_in_organization' },
  ])
})

test('a yes is believed for a minute, a no for five seconds', async () => {
  await ask(['ada', 'acme'], ['nobody', 'acme'])
  homes.set('nobody', 'acme')
  nowMs += 4_999
  expect(await ask(['ada', 'acme'], ['nobody', 'acme'])).toEqual([{ member: true }, { reason: 'unknown_user' }])
  expect(questions).toHaveLength(1)
  nowMs += 1
  expect(await ask(['ada', 'acme'], ['nobody', 'acme'])).toEqual([{ member: true }, { member: true }])
  expect(questions.at(-1)).toEqual(['nobody'])
  nowMs += 55_000
  await ask(['ada', 'acme'])
  expect(questions.at(-1)).toEqual(['ada'])
})

test('a user who has moved is asked for again, and not refused for a minute', async () => {
  await ask(['ada', 'acme'])
  homes.set('ada', 'cobalt')
  nowMs += 5_000
  expect(await ask(['ada', 'cobalt'])).toEqual([{ member: true }])
})

test('what was learned while the clock was ahead is asked for anew when it is set back', async () => {
  nowMs += 3_600_000
  await ask(['ada', 'acme'])
  homes.set('ada', 'cobalt')
  nowMs -= 3_600_000
  expect(await ask(['ada', 'acme'])).toEqual([{ reason: 'user_not_in_organization' }])
})

test('while Postgres is away who is known stays, who is not is left to the worker, and it is asked once a second', async () => {
  await ask(['ada', 'acme'])
  isAway = true
  expect(await ask(['ada', 'acme'], ['bruno', 'acme'])).toEqual([{ member: true }, { member: false }])
  await ask(['bruno', 'acme'])
  await ask(['carla', 'cobalt'])
  expect(questions).toHaveLength(2)
  nowMs += 1_000
  isAway = false
  expect(await ask(['bruno', 'acme'])).toEqual([{ member: true }])
})

test('many unknown organizations in one batch are few questions', async () => {
  await ask(...Array.from({ length: 1_000 }, (_, index): [string, string] => ['ada', `nowhere-${index}`]))
  expect(questions).toHaveLength(1)
  expect(lookups.length).toBeLessThanOrEqual(8)
})

test('a fault of our own is not taken for an outage', async () => {
  const broken = createMembershipCheck({
    findMembers: async () => {
      throw new StoreError('denied', { code: 'denied', retryable: false })
    },
    organizationExists: async () => true,
    now: () => nowMs,
  })
  await expect(broken([{ userId: 'ada', organizationId: 'acme' }])).rejects.toThrow('denied')
})
