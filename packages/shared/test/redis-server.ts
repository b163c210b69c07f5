import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'

/** A Redis of a test's own, which may be killed and started again with the same data on the same port. */
export interface RedisServer {
  readonly port: number
  readonly url: string
  /** Where its files are, for a test that exchanges them while it does not run. */
  readonly directory: string
  start(): Promise<void>
  kill(): Promise<void>
  remove(): Promise<void>
}

// The shell kills Redis as soon as its standard input closes, so an interrupted test run leaves nothing behind.
const GUARDED = '"$(command -v redis-server || command -v valkey-server)" "$@" & read -r _; kill -9 $!; wait'

/** Prepares a server that is not running yet. */
export async function prepareRedis(): Promise<RedisServer> {
  const directory = await mkdtemp(join(tmpdir(), 'tollgate-redis-'))
  const port = await freePort()
  let guard: ChildProcess | undefined

  async function start(): Promise<void> {
    const place = ['--bind', '127.0.0.1', '--port', String(port), '--dir', directory]
    const safety = ['--save', '', '--appendonly', 'yes', '--appendfsync', 'always', '--maxmemory-policy', 'noeviction']
    guard = spawn('sh', ['-c', GUARDED, 'sh', ...place, ...safety], { stdio: ['pipe', 'ignore', 'ignore'] })
    await untilListening(port)
  }

  async function kill(): Promise<void> {
    if (guard === undefined || guard.exitCode !== null || guard.signalCode !== null) return
    const exited = once(guard, 'exit')
    guard.stdin?.end()
    await exited
  }

  async function remove(): Promise<void> {
    await kill()
    await rm(directory, { recursive: true, force: true })
  }

  return { port, directory, url: `redis://127.0.0.1:${port}`, start, kill, remove }
}

/** A port that nobody listens on at the moment. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}

async function untilListening(port: number): Promise<void> {
  for (let tries = 0; tries < 400; tries++) {
    const socket = connect(port, '127.0.0.1')
    const isOpen = await once(socket, 'connect').then(
      () => true,
      () => false,
    )
    socket.destroy()
    if (isOpen) return
    await delay(25)
  }
  throw new Error(`redis-server did not listen on ${port}`)
}
