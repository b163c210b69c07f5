import { EventEmitter } from 'node:events'
import { fastify } from 'fastify'
import { describe, expect, test } from 'vitest'
import { createLogger } from '../logging/index.ts'
import { createMetrics } from '../metrics/index.ts'
import { type OpsOptions, opsRoutes } from './ops-routes.ts'
import { runService, type ServiceOptions } from './run-service.ts'

const logger = createLogger({ service: 'test', level: 'silent' })
const never = () => new Promise<never>(() => undefined)

function run(start: ServiceOptions['start'], shutdownTimeoutMs = 1_000) {
  const events = new EventEmitter()
  const codes: number[] = []
  const exit = (code: number) => codes.push(code)
  const running = runService({ name: 'test', logger, start, events, exit, shutdownTimeoutMs })
  return { events, codes, running }
}

describe('runService', () => {
  test('drains in order, closes in reverse, exits 0', async () => {
    const steps: string[] = []
    const { events, codes, running } = run(async ({ phases }) => {
      phases.add('close', 'redis', 100, () => steps.push('close redis'))
      phases.add('drain', 'http', 100, () => steps.push('drain http'))
      phases.add('close', 'http', 100, () => steps.push('close http'))
      phases.add('drain', 'jobs', 100, () => steps.push('drain jobs'))
    })
    await running
    events.emit('SIGTERM')
    await expect.poll(() => codes).toEqual([0])
    expect(steps).toEqual(['drain http', 'drain jobs', 'close http', 'close redis'])
  })

  test('a step that hangs or fails does not hold up the others, and the exit code is 1', async () => {
    const steps: string[] = []
    const { events, codes, running } = run(async ({ phases }) => {
      phases.add('drain', 'hangs', 10, never)
      phases.add('drain', 'fails', 10, () => {
        throw new Error('no')
      })
      phases.add('close', 'last', 10, () => steps.push('last'))
    })
    await running
    events.emit('SIGINT')
    await expect.poll(() => codes).toEqual([1])
    expect(steps).toEqual(['last'])
  })

  test('the whole shutdown has a limit', async () => {
    const { events, codes, running } = run(async ({ phases }) => phases.add('drain', 'hangs', 60_000, never), 20)
    await running
    events.emit('SIGTERM')
    await expect.poll(() => codes).toEqual([1])
  })

  test('a failed start closes what was opened and exits 1', async () => {
    const steps: string[] = []
    const { codes, running } = run(async ({ phases }) => {
      phases.add('close', 'redis', 100, () => steps.push('close redis'))
      throw new Error('no database')
    })
    await running
    expect([codes, steps]).toEqual([[1], ['close redis']])
  })

  test('a signal during the start lets it finish and then closes', async () => {
    const steps: string[] = []
    const opened = Promise.withResolvers<void>()
    const { events, codes, running } = run(async ({ phases, stopping }) => {
      await opened.promise
      phases.add('close', 'late', 100, () => steps.push(`close, stopping ${stopping.aborted}`))
    })
    events.emit('SIGTERM')
    opened.resolve()
    await running
    await expect.poll(() => codes).toEqual([0])
    expect(steps).toEqual(['close, stopping true'])
  })

  test('a second signal and an uncaught fault exit 1 at once', async () => {
    const { events, codes, running } = run(async ({ phases }) => phases.add('drain', 'hangs', 500, never))
    await running
    events.emit('unhandledRejection', new Error('x'))
    expect(codes).toEqual([1])
    events.emit('SIGTERM')
    events.emit('SIGTERM')
    expect(codes).toEqual([1, 1])
  })
})

describe('opsRoutes', () => {
  async function get(url: string, options: Partial<OpsOptions> = {}) {
    const app = fastify()
    app.register(opsRoutes, { checks: {}, metrics: createMetrics({ service: 'test' }), checkTimeoutMs: 20, ...options })
    return app.inject(url)
  }

  test('ready when every check passes', async () => {
    const answer = await get('/readyz', { checks: { redis: () => undefined, store: async () => 1 } })
    expect([answer.statusCode, answer.json().status]).toEqual([200, 'ok'])
  })

  test('a failing and a hanging check are named, and show no secret', async () => {
    const fails = () => Promise.reject(new Error('connect redis://:hunter2@host refused'))
    const answer = await get('/readyz', { checks: { redis: fails, store: never, ok: () => undefined } })
    expect(answer.statusCode).toBe(503)
    expect(answer.json().checks).toMatchObject({
      redis: { status: 'failed' },
      store: { status: 'failed', reason: 'no answer in 20 ms' },
      ok: { status: 'ok' },
    })
    expect(answer.body).not.toContain('hunter2')
  })

  test('not ready while stopping, but alive', async () => {
    const stopping = AbortSignal.abort()
    expect((await get('/readyz', { stopping })).statusCode).toBe(503)
    expect((await get('/livez', { stopping })).statusCode).toBe(200)
  })

  test('metrics are Prometheus text', async () => {
    const answer = await get('/metrics')
    expect(answer.headers['content-type']).toContain('text/plain')
    expect(answer.body).toContain('service="test"')
  })
})
