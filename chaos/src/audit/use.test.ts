import { describe, expect, test } from 'vitest'
import type { Sample } from '../sample/sample.ts'
import { compareUse } from './compare-use.ts'
import { findConflicts } from './find-conflicts.ts'
import { requireFlat } from './require-flat.ts'

const sample = (atSeconds: number, change: Partial<Sample> = {}): Sample => ({
  atSeconds,
  memoryMb: { 'token-api': 150, redis: 20 },
  connections: { 'tollgate-token-api': 10, 'tollgate-usage-worker': 4 },
  redisClients: 30,
  redisKeys: 70,
  lagSeconds: 0,
  conflicts: { 'usage-worker': 0 },
  ...change,
})
const over = (change: (at: number) => Partial<Sample>) =>
  Array.from({ length: 60 }, (_, index) => sample(index * 4, change(index)))

describe('requireFlat', () => {
  test('lets bursts and saw teeth pass', () => {
    const samples = over((index) => ({
      memoryMb: { 'token-api': 120 + (index % 20) * 4, redis: 20 },
      lagSeconds: index % 9 === 0 ? 30 : 0,
    }))
    expect(requireFlat(samples).faults).toEqual([])
  })

  test('says nothing of two minutes, in which pools and heaps find their sizes', () => {
    const short = over((index) => ({ redisClients: 30 + index })).slice(0, 30)
    expect(requireFlat(short)).toMatchObject({ faults: [], looked: expect.stringContaining('too short') })
  })

  test.each<[string, (index: number) => Partial<Sample>]>([
    ['MB of token-api', (index) => ({ memoryMb: { 'token-api': 150 + index } })],
    ['connections to Postgres', (index) => ({ connections: { 'tollgate-token-api': 10 + index } })],
    ['clients of Redis', (index) => ({ redisClients: 30 + index })],
    ['keys in Redis', (index) => ({ redisKeys: 70 + index * 5 })],
    ['s of lag', (index) => ({ lagSeconds: index })],
  ])('finds a leak: %s', (name, change) => {
    const { faults } = requireFlat(over(change))
    expect(faults).toHaveLength(1)
    expect(faults[0]).toMatch(new RegExp(`^${name} has grown by`))
  })
})

describe('compareUse', () => {
  const before = sample(0)

  test('lets what is back at the start pass', () => {
    const after = sample(300, {
      memoryMb: { 'token-api': 210, redis: 50 },
      connections: { 'tollgate-token-api': 12, 'tollgate-usage-worker': 2 },
      redisKeys: 160,
    })
    expect(compareUse(before, after).faults).toEqual([])
  })

  test.each<[string, Partial<Sample>]>([
    ['connections of one application', { connections: { 'tollgate-token-api': 13 } }],
    ['connections of somebody who had none', { connections: { stranger: 3 } }],
    ['connections, a few of each', { connections: { 'tollgate-token-api': 11, 'tollgate-usage-worker': 5 } }],
    ['clients', { redisClients: 31 }],
    ['clients that can not be counted', { redisClients: undefined }],
    ['keys', { redisKeys: 200 }],
    ['keys that can not be counted', { redisKeys: undefined }],
    ['memory', { memoryMb: { 'token-api': 225, redis: 20 } }],
    ['memory of a process that can not be measured', { memoryMb: { redis: 20 } }],
  ])('finds %s that were not given back', (_, change) => {
    expect(compareUse(before, sample(300, change)).faults).toHaveLength(1)
  })
})

test('a conflict that a worker counted before it was killed is found', () => {
  const samples = over((index) => ({ conflicts: { 'usage-worker': index === 30 ? 1 : 0 } }))
  expect(findConflicts(samples).faults).toHaveLength(1)
  expect(findConflicts(over(() => ({}))).faults).toEqual([])
})
