import { describe, expect, test } from 'vitest'
import { buildCall } from './build-call.ts'
import { fromHttpFailure, fromPgError } from './classify-error.ts'
import { toIsoTime } from './iso-time.ts'
import { isRetryableStoreError, StoreError } from './store-error.ts'
import { withRetry } from './with-retry.ts'

describe('buildCall', () => {
  test('names every argument, sends objects as JSON and leaves undefined out', () => {
    const call = buildCall('ingest_usage', {
      batch: { events: [1] },
      ids: ['a', 'b'],
      missing: undefined,
      n: 5n,
      x: null,
    })
    expect(call.text).toBe('select * from public.ingest_usage(batch => $1, ids => $2, n => $3, x => $4)')
    expect(call.values).toEqual(['{"events":[1]}', ['a', 'b'], '5', null])
  })

  test.each(['a b', 'a;drop table x', 'A', '', 'a"', '1a', 'a'.repeat(64)])('refuses the name %j', (name) => {
    expect(() => buildCall(name, {})).toThrow(TypeError)
    expect(() => buildCall('f', { [name]: 1 })).toThrow(TypeError)
  })
})

describe('store errors', () => {
  const pgError = (code: string) => Object.assign(new Error('x'), { code })

  test.each([
    ['40P01', 'conflict', true],
    ['40001', 'conflict', true],
    ['55P03', 'conflict', true],
    ['57P01', 'unavailable', true],
    ['08006', 'unavailable', true],
    ['53300', 'unavailable', true],
    ['ECONNREFUSED', 'unavailable', true],
    ['ECONNRESET', 'unavailable', true],
    ['23505', 'conflict', false],
    ['23514', 'invalid', false],
    ['22P02', 'invalid', false],
    ['P0001', 'invalid', false],
    ['42501', 'denied', false],
    ['42883', 'internal', false],
  ])('%s from Postgres is %s, retryable %s', (code, expected, retryable) => {
    expect(fromPgError('f', pgError(code))).toMatchObject({ code: expected, retryable, sqlState: code })
  })

  test.each([
    [0, '', 'unavailable', true],
    [503, 'PGRST002', 'unavailable', true],
    [502, '', 'unavailable', true],
    [500, '40P01', 'conflict', true],
    [400, 'P0001', 'invalid', false],
    [401, 'PGRST301', 'denied', false],
    [404, 'PGRST202', 'internal', false],
  ])('HTTP %i with code %j is %s, retryable %s', (status, code, expected, retryable) => {
    const error = fromHttpFailure('f', { status, error: { code, message: 'x' } })
    expect(error).toMatchObject({ code: expected, retryable })
  })

  test('a lost connection without a code can be tried again', () => {
    expect(isRetryableStoreError(fromPgError('f', new Error('Connection terminated unexpectedly')))).toBe(true)
  })
})

describe('withRetry', () => {
  const options = { attempts: 3, baseMs: 1, maxMs: 2, random: () => 1 }
  const failing = (times: number, retryable: boolean) => async (attempt: number) => {
    if (attempt <= times) throw new StoreError('x', { code: 'unavailable', retryable })
    return attempt
  }

  test('tries again until it works', async () => {
    await expect(withRetry(failing(2, true), options)).resolves.toBe(3)
  })

  test('gives up after the last attempt, and at once where repeating is no use', async () => {
    await expect(withRetry(failing(3, true), options)).rejects.toBeInstanceOf(StoreError)
    await expect(withRetry(failing(1, false), options)).rejects.toBeInstanceOf(StoreError)
  })

  test('an abort ends the waiting with the call’s own error', async () => {
    const signal = AbortSignal.timeout(5)
    const slow = { ...options, attempts: 100, baseMs: 60_000, maxMs: 60_000, signal }
    await expect(withRetry(failing(99, true), slow)).rejects.toBeInstanceOf(StoreError)
  })
})

test('times look alike over both transports', () => {
  expect(toIsoTime('2026-11-23 10:00:00.123456+00')).toBe('2026-11-23T10:00:00.123456+00:00')
  expect(toIsoTime('2026-11-23 10:00:00+05:30')).toBe('2026-11-23T10:00:00+05:30')
})
