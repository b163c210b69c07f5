import { randomUUID } from 'node:crypto'
import { expect, test } from 'vitest'
import { queueAddresses } from './catalog.ts'
import { shardOf } from './shard-of.ts'

test('an organization keeps its shard from release to release', () => {
  expect(shardOf('', 4)).toBe(0x811c9dc5 % 4)
  // Published test vector of 32-bit FNV-1a: "foobar" is bf9cf968.
  expect(shardOf('foobar', 1_000)).toBe(0xbf9cf968 % 1_000)
})

test('organizations spread evenly', () => {
  const counts = [0, 0, 0, 0]
  for (let i = 0; i < 8_000; i++) {
    const shard = shardOf(randomUUID(), 4)
    counts[shard] = (counts[shard] ?? 0) + 1
  }
  for (const count of counts) expect(count).toBeGreaterThan(1_700)
})

test('no shards is a mistake', () => {
  expect(() => shardOf('x', 0)).toThrow(RangeError)
})

test('a sharded queue has a name and a hash tag per shard', () => {
  expect(queueAddresses('usage-events', 2)).toEqual([
    { queue: 'usage-events-0', prefix: '{tollgate-0}', shard: 0 },
    { queue: 'usage-events-1', prefix: '{tollgate-1}', shard: 1 },
  ])
  expect(queueAddresses('quota-evaluations', 4)).toEqual([
    { queue: 'quota-evaluations', prefix: '{tollgate}', shard: 0 },
  ])
})
