import { createHash } from 'node:crypto'
import { SCOPES } from '@tollgate/shared/contracts'
import { StoreError } from '@tollgate/shared/store'
import { beforeEach, describe, expect, test } from 'vitest'
import { createServiceKeyCache, type ServiceKey, type ServiceKeyCache } from './authenticate-service-key.ts'

const KEY = 'tg_0123456789abcdef0123456789abcdef'
const BOOTSTRAP = 'tg_kT9vPq2LxZ7mWc4RbN8sJd5HfG3aYe6U'
const row: ServiceKey = { id: 'key-1', scopes: ['events:write'], organization_id: null, expires_at: null }

let nowMs: number
let asked: string[]
let used: string[]
let found: ServiceKey | undefined
let answer: () => Promise<ServiceKey | undefined>
let cache: ServiceKeyCache
const authenticate = (token = KEY) => cache.authenticate(token)
const goAway = () => {
  answer = () => Promise.reject(new StoreError('away', { code: 'unavailable', retryable: true }))
}

beforeEach(() => {
  nowMs = 1_000_000
  asked = []
  used = []
  found = row
  answer = async () => found
  cache = createServiceKeyCache({
    findKey: (sha256) => {
      asked.push(sha256)
      return answer()
    },
    now: () => nowMs,
    bootstrapKey: BOOTSTRAP,
    onUsed: (id) => used.push(id),
  })
})

test('only the hash leaves the process, concurrent requests ask once, and each use is noted', async () => {
  expect(await Promise.all([authenticate(), authenticate(), authenticate()])).toEqual([row, row, row])
  expect(asked).toEqual([createHash('sha256').update(KEY).digest('hex')])
  expect(used).toEqual(['key-1', 'key-1', 'key-1'])
})

describe('a key that is recalled', () => {
  const recall = () => cache.recall(createHash('sha256').update(KEY).digest('hex'))

  test('is good without a question as long as nobody need ask, and its use is noted', async () => {
    expect(recall()).toBeUndefined()
    await authenticate()
    nowMs += 999
    expect([recall(), used, asked.length]).toEqual([row, ['key-1', 'key-1'], 1])
    nowMs += 1
    expect([recall(), asked.length]).toEqual([undefined, 1])
  })

  test.each<[string, () => void]>([
    ['it was changed', () => cache.forget('key-1')],
    ['messages may have been missed', () => cache.distrust()],
    ['the clock was set back', () => (nowMs -= 1)],
    ['it has expired', () => (nowMs += 500)],
  ])('is not when %s', async (_name, happen) => {
    found = { ...row, expires_at: new Date(nowMs + 400).toISOString() }
    await authenticate()
    expect(recall()).toEqual(found)
    happen()
    expect([recall(), used.length]).toEqual([undefined, 2])
  })
})

describe('a revoked key', () => {
  test('ends after two seconds when nobody says so', async () => {
    await authenticate()
    found = undefined
    nowMs += 999
    expect(await authenticate()).toEqual(row)
    expect(asked).toHaveLength(1)
    nowMs += 1_001
    expect(await authenticate()).toBeUndefined()
  })

  test('ends when the clock was set back meanwhile', async () => {
    await authenticate()
    found = undefined
    nowMs -= 7_200_000
    expect(await authenticate()).toBeUndefined()
  })

  test('ends at once when it is forgotten', async () => {
    await authenticate()
    found = undefined
    cache.forget('key-2')
    expect(await authenticate()).toEqual(row)
    cache.forget('key-1')
    expect(await authenticate()).toBeUndefined()
  })

  test('is not brought back by an answer that was under way', async () => {
    const slow = Promise.withResolvers<ServiceKey | undefined>()
    answer = () => slow.promise
    const before = authenticate()
    cache.forget('key-1')
    answer = async () => undefined
    expect(await authenticate()).toBeUndefined()
    slow.resolve(row)
    await before
    expect(await authenticate()).toBeUndefined()
  })

  test('ends at once when messages may have been missed', async () => {
    await authenticate()
    found = undefined
    cache.distrust()
    expect(await authenticate()).toBeUndefined()
  })
})

test('a key ends when it expires, whatever is cached', async () => {
  found = { ...row, expires_at: new Date(nowMs + 500).toISOString() }
  expect(await authenticate()).toEqual(found)
  nowMs += 500
  expect(await authenticate()).toBeUndefined()
  expect(used).toHaveLength(1)
})

test('after a second a known key is asked for while its users go on', async () => {
  await authenticate()
  const slow = Promise.withResolvers<ServiceKey | undefined>()
  answer = () => slow.promise
  nowMs += 1_000
  expect(await authenticate()).toEqual(row)
  expect(asked).toHaveLength(2)
  slow.resolve(row)
})

test('an unknown key is believed unknown for 5 s', async () => {
  found = undefined
  expect(await authenticate()).toBeUndefined()
  found = row
  expect(await authenticate()).toBeUndefined()
  nowMs += 5_000
  expect(await authenticate()).toEqual(row)
})

describe('while Postgres is away', () => {
  test('a known key goes on for ten minutes, with one question a second', async () => {
    await authenticate()
    goAway()
    nowMs += 2_000
    expect(await authenticate()).toEqual(row)
    expect(await authenticate()).toEqual(row)
    expect(asked).toHaveLength(2)
    nowMs = 1_000_000 + 10 * 60_000 - 1
    expect(await authenticate()).toEqual(row)
    nowMs += 1_001
    await expect(authenticate()).rejects.toMatchObject({ code: 'unavailable' })
  })

  test('a key that was revoked before does not', async () => {
    await authenticate()
    goAway()
    cache.forget('key-1')
    await expect(authenticate()).rejects.toMatchObject({ code: 'unavailable' })
  })

  test('an unknown key is neither taken nor refused', async () => {
    goAway()
    await expect(authenticate()).rejects.toMatchObject({ code: 'unavailable', retryAfterSeconds: 2 })
  })

  test('the key from the environment is good, with every scope', async () => {
    goAway()
    const key = { id: 'bootstrap', scopes: [...SCOPES], organization_id: null, expires_at: null }
    expect(await authenticate(BOOTSTRAP)).toEqual(key)
    expect(asked).toEqual([])
  })
})

test.each(['', 'tg_', 'tg_short', `${KEY} `, `tg_${'x'.repeat(200)}`, "tg_' or true or '0123456789"])(
  '%j is not asked for',
  async (text) => {
    expect(await authenticate(text)).toBeUndefined()
    expect(asked).toEqual([])
  },
)
