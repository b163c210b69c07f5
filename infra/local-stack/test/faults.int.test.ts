import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { readStackFile, StackError, startServers, startStack } from '../src/index.ts'
import { processStamp } from '../src/process-stamp.ts'
import { copySeed, createTemporaryDir, type TemporaryDir } from '../src/testing/index.ts'

const fixtures = join(import.meta.dirname, 'fixtures')
const service = join(fixtures, 'service.ts')
const scripts = { 'token-api': service, 'usage-worker': service, 'quota-enforcer': service }

const caught = async (work: Promise<unknown>): Promise<StackError> => {
  const error = await work.then(
    () => null,
    (reason: unknown) => reason,
  )
  if (error instanceof StackError) return error
  throw error ?? new Error('It should have failed.')
}

describe('a start that fails', () => {
  let temporary: TemporaryDir

  beforeEach(() => {
    temporary = createTemporaryDir()
  })
  afterEach(() => temporary.remove())

  const recorded = (): number[] => {
    const file = join(temporary.dir, 'running.json')
    if (!existsSync(file)) return []
    const { children } = JSON.parse(readFileSync(file, 'utf8')) as { children: { pid: number }[] }
    return children.map(({ pid }) => pid)
  }
  const living = (pids: readonly number[]) => pids.filter((pid) => processStamp(pid) !== null)

  it('because a port is in use says which and starts nothing', async () => {
    const blocker = createServer().listen(0, '127.0.0.1')
    await once(blocker, 'listening')
    const address = blocker.address()
    const port = typeof address === 'object' && address !== null ? address.port : 0
    const error = await caught(startStack({ dir: temporary.dir, scripts, ports: { 'token-api': port } }))
    blocker.close()
    expect(error.message).toContain(`Port ${port} for token-api is already in use`)
    expect(existsSync(join(temporary.dir, 'postgres'))).toBe(false)
    expect(recorded()).toEqual([])
  })

  it('because a child died says which, shows its last lines and takes everything down', async () => {
    const pids: number[] = []
    const log = (line: string) => {
      if (line.includes('token-api')) pids.push(...recorded())
    }
    const broken = { ...scripts, 'usage-worker': join(fixtures, 'dead-service.ts') }
    const error = await caught(startStack({ dir: temporary.dir, durable: false, scripts: broken, log }))
    expect(error.message).toMatch(/^usage-worker ended while starting \(exit code 3\)/)
    expect(error.message).toContain('the disk is full')
    expect(pids.length).toBeGreaterThanOrEqual(3)
    expect(living(pids)).toEqual([])
    expect(readStackFile(temporary.dir)).toBeNull()
  })

  it('because it was interrupted leaves nothing running', async () => {
    copySeed(temporary.dir)
    const abort = new AbortController()
    const pids: number[] = []
    const log = (line: string) => {
      if (!line.includes('token-api')) return
      pids.push(...recorded())
      abort.abort()
    }
    const error = await caught(startStack({ dir: temporary.dir, durable: false, scripts, log, signal: abort.signal }))
    expect(error.message).toBe('The start was interrupted.')
    expect(pids.length).toBeGreaterThanOrEqual(3)
    expect([...living(pids), ...living(recorded())]).toEqual([])
  })

  it('because applied migrations were edited says so and names --fresh, which then starts over', async () => {
    copySeed(temporary.dir)
    const first = await startServers({ dir: temporary.dir, durable: false })
    await first.stop()
    const file = join(temporary.dir, 'state.json')
    writeFileSync(file, readFileSync(file, 'utf8').replace(/"(\d{14}_\w+\.sql)": "[0-9a-f]{8}/, '"$1": "00000000'))
    const error = await caught(startServers({ dir: temporary.dir, durable: false }))
    expect(error.message).toMatch(/migrations have changed .*\.sql.*--fresh/)
    const second = await startServers({ dir: temporary.dir, durable: false, fresh: true })
    expect(second.databaseUrl).not.toBe(first.databaseUrl)
    await second.stop()
  })
})

describe('a start after the last one was killed', () => {
  it('ends the orphans and goes on with the data', async () => {
    const temporary = createTemporaryDir()
    copySeed(temporary.dir)
    const owner = spawn(process.execPath, [join(fixtures, 'start-and-wait.ts'), temporary.dir], {
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    await once(owner.stdout, 'data')
    const before = readStackFile(temporary.dir)
    owner.kill('SIGKILL')
    await once(owner, 'exit')
    const orphans = Object.values(before?.pids ?? {})
    expect(orphans.length).toBe(6)
    expect(orphans.filter((pid) => processStamp(pid) === null)).toEqual([])

    const lines: string[] = []
    const stack = await startStack({ dir: temporary.dir, durable: false, scripts, log: (line) => lines.push(line) })
    expect(lines[0]).toContain('Ending 6 processes')
    expect(orphans.filter((pid) => processStamp(pid) !== null)).toEqual([])
    expect(stack.describe().users).toEqual(before?.users)
    await stack.stop()
    await temporary.remove()
  })
})
