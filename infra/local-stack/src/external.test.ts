import { describe, expect, it } from 'vitest'
import { usesRealServers } from './external.ts'

describe('usesRealServers', () => {
  const all = { SUPABASE_URL: 'http://a', REDIS_URL: 'redis://b', DATABASE_URL: 'postgres://c' }
  it('is yes with all three, no with none', () => {
    expect(usesRealServers(all)).toBe(true)
    expect(usesRealServers({ LOG_LEVEL: 'debug' })).toBe(false)
    expect(usesRealServers({ SUPABASE_URL: '', REDIS_URL: '', DATABASE_URL: '' })).toBe(false)
  })
  it('names what is missing when only some are set', () => {
    expect(() => usesRealServers({ ...all, REDIS_URL: undefined })).toThrow(
      'SUPABASE_URL and DATABASE_URL are set but REDIS_URL is not.',
    )
    expect(() => usesRealServers({ REDIS_URL: 'redis://b' })).toThrow(
      'REDIS_URL is set but SUPABASE_URL and DATABASE_URL are not.',
    )
  })
})
