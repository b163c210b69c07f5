import { expect, test } from 'vitest'
import { createLogger } from './index.ts'

const JWT = 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJqYW5lIn0.c2lnbmF0dXJlLXRoYXQtaXMtc2VjcmV0'
const KEY = 'tg_live_4f9a8b7c6d5e'
const SUPABASE_KEY = 'sb_secret_N7UND0UgjKTVK'
const WEBHOOK_SECRET = 'whsec_Zm9v/YmFyLWJhei1xdXV4+cXV4LXF1dXgtcXV1eA=='
const PASSWORD = 'hunter2'
const EMAIL = 'jane.doe@example.com'
const SECRETS = [
  JWT,
  JWT.slice(0, 20),
  KEY,
  WEBHOOK_SECRET.slice(6, 20),
  WEBHOOK_SECRET.slice(-20),
  SUPABASE_KEY,
  PASSWORD,
  EMAIL,
  'c2lnbmF0dXJl',
  'opaque-value',
]

function capture() {
  const lines: string[] = []
  const logger = createLogger({ service: 'test', level: 'trace', destination: { write: (line) => lines.push(line) } })
  return { logger, lines }
}

function failure(): Error {
  const cause = new Error(`connect postgres://tollgate:${PASSWORD}@db.example.org:5432/postgres failed`)
  return Object.assign(new Error(`token ${JWT} of ${EMAIL} refused`, { cause }), { token: 'opaque-value' })
}

test('no secret survives, wherever it stands in a line', () => {
  const { logger, lines } = capture()
  logger.info({
    authorization: 'opaque-value',
    req: { headers: { cookie: 'opaque-value', 'Set-Cookie': ['opaque-value'] } },
  })
  logger.info({
    access_token: 'opaque-value',
    refreshToken: 'opaque-value',
    body: { user: { email: EMAIL, apikey: KEY } },
  })
  logger.info({
    config: { LIBRECHAT_JWT_SECRET: 'opaque-value', SUPABASE_SECRET_KEY: 'opaque-value', password: PASSWORD },
  })
  logger.info(`GET /chat?token=opaque-value&org=acme from ${EMAIL} with Bearer ${KEY}`)
  logger.info('redis://default:%s@10.0.0.1:6379 answered %s', PASSWORD, JWT)
  logger.info({ url: `rediss://:${PASSWORD}@redis.example.org`, list: [JWT, { deep: [SUPABASE_KEY, WEBHOOK_SECRET] }] })
  logger.error(failure())
  logger.error({ err: failure(), errors: [failure()] }, 'failed')
  logger.error({ err: new AggregateError([failure()], 'all failed') })
  logger
    .child({ token: 'opaque-value', who: EMAIL })
    .child({ user: { password: PASSWORD } })
    .warn('child')
  const written = lines.join('')
  for (const hidden of SECRETS) expect(written, hidden).not.toContain(hidden)
  for (const line of lines) expect(() => JSON.parse(line)).not.toThrow()
})

test('what is no secret stays readable', () => {
  const { logger, lines } = capture()
  logger.info({ input_tokens: 374, total_tokens: 418, organization_id: 'acme', key_id: 'k1', token: null }, 'counted')
  const line = JSON.parse(lines[0] ?? '')
  expect(line).toMatchObject({
    input_tokens: 374,
    total_tokens: 418,
    organization_id: 'acme',
    key_id: 'k1',
    msg: 'counted',
  })
  expect(line).toMatchObject({ level: 'info', service: 'test' })
})

test('an error keeps its type, message, code and cause', () => {
  const { logger, lines } = capture()
  logger.error({ err: Object.assign(new TypeError('boom', { cause: new Error('why') }), { code: 'E1' }) })
  const { err } = JSON.parse(lines[0] ?? '')
  expect(err).toMatchObject({ type: 'TypeError', message: 'boom', code: 'E1', cause: { message: 'why' } })
  expect(err.stack).toContain('logging.test.ts')
})

test('DEBUG lowers the level', () => {
  expect(createLogger({ service: 'test', level: 'warn', debug: true }).level).toBe('debug')
  expect(createLogger({ service: 'test', level: 'warn' }).level).toBe('warn')
})
