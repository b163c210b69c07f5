import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { createTcpGate } from './tcp-gate.ts'
import { openWorld, type World } from './world.ts'

const MAIN = new URL('../src/main.ts', import.meta.url).pathname

let world: World
beforeAll(async () => {
  world = await openWorld()
})
afterAll(() => world.close())

interface Running {
  readonly child: ChildProcess
  readonly address: string
  /** What it has logged so far. */
  readonly lines: readonly string[]
}

const startProcess = async (redisUrl: string, databaseUrl: string): Promise<Running> => {
  const env = {
    PATH: process.env.PATH,
    REDIS_URL: redisUrl,
    DATABASE_URL: databaseUrl,
    REDIS_NAMESPACE: world.namespace,
    SWEEP_INTERVAL_MS: '200',
  }
  const child = spawn(process.execPath, [MAIN], { env, stdio: ['ignore', 'pipe', 'inherit'] })
  const lines: string[] = []
  const address = new Promise<string>((resolve, reject) => {
    createInterface({ input: child.stdout }).on('line', (line) => {
      lines.push(line)
      const found = (JSON.parse(line) as { address?: string }).address
      if (found !== undefined) resolve(found)
    })
    child.once('exit', () => reject(new Error(`it ended before it listened:\n${lines.join('\n')}`)))
  })
  return { child, address: await address, lines }
}

const readyStatus = async (address: string): Promise<number> => (await fetch(`${address}/readyz`)).status
const until = (check: () => Promise<void>) => vi.waitFor(check, { timeout: 15_000, interval: 100 })

test('it starts without Redis and Postgres, becomes ready when they come, survives their loss and ends cleanly', async () => {
  const [redis, postgres] = await Promise.all([createTcpGate(world.urls.redis), createTcpGate(world.urls.database)])
  const { child, address, lines } = await startProcess(redis.url, postgres.url)
  try {
    expect((await fetch(`${address}/livez`)).status).toBe(200)
    expect(await readyStatus(address)).toBe(503)

    await postgres.open()
    await redis.open()
    await until(async () => expect(await readyStatus(address)).toBe(200))

    const id = await world.createOrganization()
    await world.setLimit(id, 1_000)
    await redis.shut()
    await world.use(id, 1_000)
    // Nobody can be woken through Redis: the sweep finds it, and the copy follows when Redis is back.
    await until(async () => expect((await world.readPosition(id)).state).toBe('downgraded'))
    await redis.open()
    await until(async () => expect(await world.readCopy(id)).toMatchObject({ state: 'downgraded' }))

    await postgres.shut()
    await world.use(id, 200)
    await world.wake(id)
    await until(async () => expect(await readyStatus(address)).toBe(503))
    await postgres.open()
    await until(async () => expect(await world.readCopy(id)).toMatchObject({ state: 'revoked' }))
    await until(async () => expect(await readyStatus(address)).toBe(200))
    expect(await (await fetch(`${address}/metrics`)).text()).toContain('tollgate_quota_decisions_total{state="revoked"')

    child.kill('SIGTERM')
    const [code] = await once(child, 'exit')
    expect(code).toBe(0)
  } catch (error) {
    console.error(lines.slice(-20).join('\n'))
    throw error
  } finally {
    child.kill('SIGKILL')
  }
})

test('it ends within seconds at SIGTERM while both are away', async () => {
  const [redis, postgres] = await Promise.all([createTcpGate(world.urls.redis), createTcpGate(world.urls.database)])
  const { child } = await startProcess(redis.url, postgres.url)
  const begin = performance.now()
  child.kill('SIGTERM')
  const [code] = await once(child, 'exit')
  expect(code).toBe(0)
  expect(performance.now() - begin).toBeLessThan(10_000)
})
