import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { ConfigError, duration, type Env, parseEnv, secret, serviceEnv, storeSettings } from './index.ts'

const STRONG = 'Zx9kq3mW8vL2pR7tY5nB1cF6hJ4dS0gA'
const schema = serviceEnv({ LIBRECHAT_JWT_SECRET: secret(), TOKEN_LIFETIME: duration().prefault('24h') })
const good = { REDIS_URL: 'redis://127.0.0.1', DATABASE_URL: 'postgres://a:b@c/d', LIBRECHAT_JWT_SECRET: STRONG }

function faultsOf(env: Env): Record<string, string> {
  try {
    parseEnv(schema, env)
  } catch (error) {
    if (error instanceof ConfigError) return Object.fromEntries(error.faults.map((f) => [f.variable, f.problem]))
    throw error
  }
  throw new Error('the environment was accepted')
}

describe('parseEnv', () => {
  test('gives real numbers and booleans, and defaults', () => {
    const config = parseEnv(schema, { ...good, PORT: '8080', DEBUG: '0', LIBRECHAT_DEBUG: 'true', SHARDS: '' })
    expect(config).toMatchObject({ PORT: 8080, DEBUG: false, LIBRECHAT_DEBUG: true, SHARDS: 2, HOST: '127.0.0.1' })
    expect(config.TOKEN_LIFETIME).toBe(86_400)
  })

  test('reports all faults together, those between variables included', () => {
    const faults = faultsOf({ PORT: '70000', DEBUG: 'yes', LIBRECHAT_JWT_SECRET: 'short', TOKEN_LIFETIME: '5' })
    expect(Object.keys(faults).sort()).toEqual(
      [
        'DEBUG',
        'LIBRECHAT_JWT_SECRET',
        'PORT',
        'REDIS_URL',
        'SUPABASE_SECRET_KEY',
        'SUPABASE_URL',
        'TOKEN_LIFETIME',
      ].sort(),
    )
    expect(faults.REDIS_URL).toBe('is required')
  })

  test('never shows a value', () => {
    const hidden = 'hunter2-hunter2'
    const env = {
      LIBRECHAT_JWT_SECRET: hidden,
      REDIS_URL: hidden,
      PORT: hidden,
      NODE_ENV: hidden,
      DATABASE_URL: hidden,
    }
    expect(() => parseEnv(schema, env)).toThrow(ConfigError)
    expect(JSON.stringify(faultsOf(env))).not.toContain(hidden)
  })
})

describe('secret', () => {
  test.each([
    ['too short', 'Zx9kq3mW8vL2'],
    ['a well-known word', 'changeme'],
    ['the key of an example file', 'super-secret-jwt-token-with-at-least-32-characters-long'],
    ['a placeholder', 'your-jwt-secret-goes-here-0123456789abcdef'],
    ['one character', 'a'.repeat(40)],
    ['a repeated word', 'Xy7kQ2mP'.repeat(5)],
  ])('refuses %s', (_, value) => {
    expect(secret().safeParse(value).success).toBe(false)
  })

  test('takes a random key, and the key of a local Supabase where that is allowed', () => {
    expect(secret().safeParse(STRONG).success).toBe(true)
    const local = secret({ allowWellKnown: true })
    expect(local.safeParse('super-secret-jwt-token-with-at-least-32-characters-long').success).toBe(true)
  })
})

describe('storeSettings', () => {
  const supabase = { SUPABASE_URL: 'https://x.supabase.co', SUPABASE_SECRET_KEY: 'sb_secret_0123456789abcdef' }
  const { DATABASE_URL: _, ...withoutDatabase } = good

  test('goes to Postgres directly when it can, over HTTP otherwise or when told to', () => {
    expect(storeSettings(parseEnv(schema, good)).transport).toBe('pg')
    expect(storeSettings(parseEnv(schema, { ...withoutDatabase, ...supabase })).transport).toBe('supabase')
    expect(storeSettings(parseEnv(schema, { ...good, ...supabase, STORE_TRANSPORT: 'supabase' })).transport).toBe(
      'supabase',
    )
  })

  test('an environment without any way to the database is refused', () => {
    expect(faultsOf({ ...withoutDatabase, STORE_TRANSPORT: 'pg' })).toHaveProperty('DATABASE_URL')
    expect(faultsOf({ ...withoutDatabase, SUPABASE_URL: 'https://x.supabase.co' })).toHaveProperty(
      'SUPABASE_SECRET_KEY',
    )
  })
})

test.each([
  ['30s', 30],
  ['15m', 900],
  ['24h', 86_400],
  ['7d', 604_800],
])('duration %s is %i seconds', (text, seconds) => {
  expect(z.object({ t: duration() }).parse({ t: text }).t).toBe(seconds)
})
