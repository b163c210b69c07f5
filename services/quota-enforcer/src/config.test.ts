import { ConfigError, parseEnv } from '@tollgate/shared/config'
import { expect, test } from 'vitest'
import { quotaEnforcerEnv } from './config.ts'

const REDIS_URL = 'redis://127.0.0.1:6379'
const DATABASE_URL = 'postgres://127.0.0.1/x'

test('defaults hold where nothing is set', () => {
  expect(parseEnv(quotaEnforcerEnv, { REDIS_URL, DATABASE_URL })).toMatchObject({
    REDIS_NAMESPACE: 'tollgate',
    SWEEP_INTERVAL_MS: 2_000,
  })
})

test.each([
  [{ REDIS_NAMESPACE: 'a:b' }, 'REDIS_NAMESPACE'],
  [{ SWEEP_INTERVAL_MS: '0' }, 'SWEEP_INTERVAL_MS'],
  [{ SWEEP_INTERVAL_MS: '2s' }, 'SWEEP_INTERVAL_MS'],
])('%j is refused by name', (env, variable) => {
  const parse = () => parseEnv(quotaEnforcerEnv, { REDIS_URL, DATABASE_URL, ...env })
  expect(parse).toThrow(ConfigError)
  expect(parse).toThrow(variable)
})
