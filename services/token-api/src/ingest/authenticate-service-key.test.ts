import { createHash } from 'node:crypto'
import { StoreError } from '@tollgate/shared/store'
import { beforeEach, expect, test } from 'vitest'
import {
  type AuthenticateServiceKey,
  createServiceKeyAuthenticator,
  type ServiceKey,
} from './authenticate-service-key.ts'

const KEY = 'tg_0123456789abcdef0123456789abcdef'
const row: ServiceKey = { id: 'key-1', scopes: ['events:write'], organization_id: null }

let nowMs: number
let asked: string[]
let found: ServiceKey | undefined
let isAway: boolean
let authenticate: AuthenticateServiceKey

beforeEach(() => {
  nowMs = 1_000_000
  asked = []
  found = row
  isAway = false
  authenticate = createServiceKeyAuthenticator({
    findKey: async (sha256) => {
      asked.push(sha256)
      if (isAway) throw new StoreError('away', { code: 'unavailable', retryable: true })
      return found
    },
    now: () => nowMs,
  })
})

test('only the hash leaves the process, and concurrent requests ask once', async () => {
  expect(await Promise.all([authenticate(KEY), authenticate(KEY), authenticate(KEY)])).toEqual([row, row, row])
  expect(asked).toEqual([createHash('sha256').update(KEY).digest('hex')])
})

test('a key is believed for 30 s, so a revoked one ends by then', async () => {
  await authenticate(KEY)
  found = undefined
  nowMs += 29_999
  expect(await authenticate(KEY)).toEqual(row)
  nowMs += 1
  expect(await authenticate(KEY)).toBeUndefined()
})

test('an unknown key is believed unknown for 5 s', async () => {
  found = undefined
  expect(await authenticate(KEY)).toBeUndefined()
  found = row
  expect(await authenticate(KEY)).toBeUndefined()
  nowMs += 5_000
  expect(await authenticate(KEY)).toEqual(row)
})

test('while Postgres is away a known key goes on for ten minutes, with one question a second', async () => {
  await authenticate(KEY)
  isAway = true
  nowMs += 30_000
  expect(await authenticate(KEY)).toEqual(row)
  expect(await authenticate(KEY)).toEqual(row)
  expect(asked).toHaveLength(2)
  nowMs = 1_000_000 + 10 * 60_000 - 1
  expect(await authenticate(KEY)).toEqual(row)
  nowMs += 1_001
  await expect(authenticate(KEY)).rejects.toMatchObject({ code: 'unavailable' })
})

test('while Postgres is away an unknown key is neither taken nor refused', async () => {
  isAway = true
  await expect(authenticate(KEY)).rejects.toMatchObject({ code: 'unavailable', retryAfterSeconds: 2 })
})

test.each(['', 'tg_', 'tg_short', `${KEY} `, `tg_${'x'.repeat(200)}`, "tg_' or true or '0123456789"])(
  '%j is not asked for',
  async (text) => {
    expect(await authenticate(text)).toBeUndefined()
    expect(asked).toEqual([])
  },
)
