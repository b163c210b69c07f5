import { type Enforcement, enforcement } from '@tollgate/shared/contracts'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { enforcementKey } from '../src/publish.ts'
import { openWorld, type World } from './world.ts'

let world: World
beforeAll(async () => {
  world = await openWorld()
})
afterAll(() => world.close())

const stateOf = (organization_id: string, revision: bigint): Enforcement => ({
  organization_id,
  state: 'revoked',
  version: 1,
  revision: revision.toString(),
  reason: 'max_tokens_120_percent',
  decision_id: null,
  period_end: '2026-12-01T00:00:00+00:00',
  reduced_config: { enabled_models: [] },
})

test('whatever the order of arrival, the copy is the highest revision, beyond the digits of a double too', async () => {
  const revisions = fc.array(
    fc.oneof(fc.bigInt(1n, 120n), fc.bigInt(2n ** 53n, 2n ** 53n + 20n), fc.bigInt(1n, 2n ** 63n - 1n)),
    {
      minLength: 1,
      maxLength: 12,
    },
  )
  await fc.assert(
    fc.asyncProperty(revisions, async (arriving) => {
      const id = crypto.randomUUID()
      let highest = 0n
      for (const revision of arriving) {
        const written = await world.publish([stateOf(id, revision)])
        expect(written).toBe(revision > highest ? 1 : 0)
        if (revision > highest) highest = revision
        expect((await world.readCopy(id))?.revision).toBe(highest.toString())
      }
    }),
    { numRuns: 50 },
  )
})

test('what is written is announced once, as it stands in the copy; what is older is not announced', async () => {
  const id = crypto.randomUUID()
  const listener = world.redis.duplicate()
  const told: Enforcement[] = []
  listener.on('message', (_, message) => {
    const state = enforcement.parse(JSON.parse(message))
    if (state.organization_id === id) told.push(state)
  })
  await listener.subscribe(enforcementKey(world.namespace))
  for (const revision of [5n, 5n, 4n, 10n]) await world.publish([stateOf(id, revision)])
  await vi.waitFor(() => expect(told.map(({ revision }) => revision)).toEqual(['5', '10']), 10_000)
  expect(told[1]).toEqual(await world.readCopy(id))
  expect(told[1]).toEqual(stateOf(id, 10n))
  listener.disconnect()
})

test.each(['not json', '[]', '7', 'null', '{"revision":9}'])('an unreadable entry (%s) is replaced', async (entry) => {
  const id = crypto.randomUUID()
  await world.redis.hset(enforcementKey(world.namespace), id, entry)
  expect(await world.publish([stateOf(id, 1n)])).toBe(1)
  expect(await world.readCopy(id)).toEqual(stateOf(id, 1n))
})

test('many states go in several scripts', async () => {
  const states = Array.from({ length: 250 }, () => stateOf(crypto.randomUUID(), 1n))
  expect(await world.publish(states)).toBe(250)
  expect(await world.publish(states)).toBe(0)
  expect(await world.publish([])).toBe(0)
})
