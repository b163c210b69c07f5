import { ConfigError } from '@tollgate/shared/config'
import { describe, expect, test } from 'vitest'
import { readConfig } from './config.ts'

const SECRET = 'kT9vPq2LxZ7mWc4RbN8sJd5HfG3aYe6U'
const OTHER_SECRET = 'Zq8wErT5yUiOp2AsDfG7hJkL4zXcVbN1'
const env = {
  REDIS_URL: 'redis://127.0.0.1:6379',
  DATABASE_URL: 'postgres://127.0.0.1/postgres',
  SUPABASE_URL: 'https://project.supabase.example',
  LIBRECHAT_JWT_SECRET: SECRET,
  JWT_REFRESH_SECRET: OTHER_SECRET,
}

const faultsOf = (changes: Record<string, string | undefined>): string[] => {
  try {
    readConfig({ ...env, ...changes })
    return []
  } catch (error) {
    if (error instanceof ConfigError) return error.faults.map(({ variable }) => variable)
    throw error
  }
}

test('defaults', () => {
  expect(readConfig(env)).toMatchObject({
    LIBRECHAT_URL: 'http://localhost:3080',
    JWT_ACCESS_TOKEN_EXPIRY: 86_400,
    JWT_REFRESH_TOKEN_EXPIRY: 604_800,
    SESSION_MAX_AGE: 2_592_000,
    URL_TOKEN: 'handoff',
    GATE_FAIL_MODE: 'closed',
    CORS_ORIGINS: [],
    TRUST_PROXY: false,
    REDIS_NAMESPACE: 'tollgate',
  })
})

test('few variables: the three secrets, where the servers are, and what has a default', () => {
  expect(Object.keys(readConfig({ ...env })).length).toBeLessThanOrEqual(30)
})

describe('a service with a weak key does not start', () => {
  test.each([undefined, '', 'short', 'x'.repeat(40), 'your-super-secret-jwt-token-with-at-least-32-characters-long'])(
    '%j',
    (secret) => {
      expect(faultsOf({ LIBRECHAT_JWT_SECRET: secret })).toEqual(['LIBRECHAT_JWT_SECRET'])
    },
  )
  test.each([undefined, 'short', 'x'.repeat(40)])('of refresh tokens: %j', (secret) => {
    expect(faultsOf({ JWT_REFRESH_SECRET: secret })).toEqual(['JWT_REFRESH_SECRET'])
  })
  test.each(['SUPABASE_JWT_SECRET', 'SUPABASE_SECRET_KEY'])('equal to %s', (name) => {
    expect(faultsOf({ [name]: SECRET })).toEqual(['LIBRECHAT_JWT_SECRET'])
    expect(faultsOf({ [name]: OTHER_SECRET })).toEqual(['JWT_REFRESH_SECRET'])
  })
  test.each(['SUPABASE_JWT_SECRET', 'SUPABASE_SECRET_KEY'])('that was in force before and equals %s', (name) => {
    const supabase = `${SECRET}supabase`
    const previous = `${SECRET}older,${supabase}`
    expect(faultsOf({ [name]: supabase, JWT_PREVIOUS_SECRETS: previous })).toEqual(['JWT_PREVIOUS_SECRETS'])
    expect(faultsOf({ [name]: supabase, JWT_PREVIOUS_SECRETS: `${SECRET}older` })).toEqual([])
  })
  test('that was in force before and is that of refresh tokens', () => {
    expect(faultsOf({ JWT_PREVIOUS_SECRETS: `${SECRET}older,${OTHER_SECRET}` })).toEqual(['JWT_PREVIOUS_SECRETS'])
  })
  test.each([SECRET, OTHER_SECRET])('that seals webhooks and signs tokens', (secret) => {
    expect(faultsOf({ WEBHOOK_SECRET_KEYS: `${SECRET}webhooks,${secret}` })).toEqual(['WEBHOOK_SECRET_KEYS'])
    expect(faultsOf({ WEBHOOK_SECRET_KEYS: `${SECRET}webhooks` })).toEqual([])
  })
  test('one for two purposes', () => {
    expect(faultsOf({ JWT_REFRESH_SECRET: SECRET })).toEqual(['JWT_REFRESH_SECRET'])
  })
})

test.each(['tg_short', `tg_${'a'.repeat(40)}`, `${SECRET}${SECRET}`, 'tg_changeme-changeme-changeme-changeme-0'])(
  "the operator's first key is refused when it is weak: %s",
  (key) => expect(faultsOf({ TOLLGATE_OPERATOR_KEY: key })).toContain('TOLLGATE_OPERATOR_KEY'),
)

test('the older names count where the names themselves are not set', () => {
  const older = { JWT_SECRET: `${SECRET}older`, NEXT_PUBLIC_LIBRECHAT_URL: 'https://chat.example' }
  expect(readConfig({ ...env, ...older })).toMatchObject({
    LIBRECHAT_JWT_SECRET: SECRET,
    JWT_REFRESH_SECRET: OTHER_SECRET,
    LIBRECHAT_URL: 'https://chat.example',
  })
  expect(readConfig({ ...env, ...older, LIBRECHAT_JWT_SECRET: '' }).LIBRECHAT_JWT_SECRET).toBe(`${SECRET}older`)
})

test.each([
  ['CORS_ORIGINS', '*'],
  ['CORS_ORIGINS', 'https://app.example/path'],
  ['GATE_FAIL_MODE', 'maybe'],
  ['URL_TOKEN', 'both'],
  ['JWT_ACCESS_TOKEN_EXPIRY', '24'],
  ['REDIS_NAMESPACE', 'a:b'],
  ['LIBRECHAT_URL', 'javascript:alert(1)'],
])('%s=%s is refused', (name, value) => {
  expect(faultsOf({ [name]: value })).toEqual([name])
})

test('lists and hops are read', () => {
  const config = readConfig({ ...env, CORS_ORIGINS: 'https://a.example, http://localhost:3000,', TRUST_PROXY: '1' })
  expect(config.CORS_ORIGINS).toEqual(['https://a.example', 'http://localhost:3000'])
  expect(typeof config.TRUST_PROXY === 'function' && [0, 1].map(config.TRUST_PROXY.bind(null, '10.0.0.1'))).toEqual([
    true,
    false,
  ])
  expect(readConfig({ ...env, TRUST_PROXY: '10.0.0.0/8, 127.0.0.1' }).TRUST_PROXY).toBe('10.0.0.0/8, 127.0.0.1')
})
