import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { describeExit } from './child.ts'
import { messageOf, StackError } from './errors.ts'
import { startServicesOnly } from './external.ts'
import { watchLaunchers } from './launchers.ts'
import { repoRoot } from './paths.ts'
import { chooseProvider } from './provider.ts'
import type { ServerHooks } from './server.ts'
import { type PortName, type StackOptions, startStack } from './stack.ts'
import { summarizeServices, summarizeStack } from './summary.ts'

const usage = `Usage: start [--fresh] [--port <number>] [--port <name>=<number>]… [--dir <directory>]
  --fresh   start over: removes the data of earlier starts
  --port    port of token-api (3100), or of usage-worker, quota-enforcer, dashboard, postgres, redis, supabase by name
  --dir     directory of the stack's data (.tollgate)`

const portNames: readonly PortName[] = [
  ...(['token-api', 'usage-worker', 'quota-enforcer', 'dashboard'] as const),
  ...(['postgres', 'redis', 'supabase'] as const),
]

/** Reads `3200` (token-api) or `redis=6400`. */
const readPort = (text: string): [PortName, number] => {
  const [first, second] = text.split('=', 2)
  const name = portNames.find((known) => known === (second === undefined ? 'token-api' : first))
  const port = Number(second ?? first)
  if (name === undefined || !Number.isInteger(port) || port < 1 || port > 65_535) {
    throw new StackError(`--port ${text} is not understood.\n${usage}`)
  }
  return [name, port]
}

const readArguments = (args: readonly string[]) => {
  try {
    return parseArgs({
      args: args.filter((arg) => arg !== '--'),
      options: {
        fresh: { type: 'boolean', default: false },
        port: { type: 'string', multiple: true, default: [] },
        dir: { type: 'string' },
        help: { type: 'boolean', short: 'h', default: false },
      },
    }).values
  } catch (cause) {
    throw new StackError(`${messageOf(cause)}\n${usage}`, { cause })
  }
}

const defaultTokenApiPort = 3100

const readOptions = (args: readonly string[], env: NodeJS.ProcessEnv): StackOptions & { help: boolean } => {
  const { fresh, port, dir, help } = readArguments(args)
  const tokenApi = env.PORT === undefined || env.PORT === '' ? defaultTokenApiPort : readPort(env.PORT)[1]
  const ports = { 'token-api': tokenApi, ...Object.fromEntries(port.map(readPort)) }
  return { fresh, dir, help, ports, env, dashboard: true, log: (line) => console.log(line) }
}

type Running = { stop(): Promise<void>; killAll(): void }

const startAll = async (options: StackOptions): Promise<Running> => {
  const began = performance.now()
  const seconds = () => (performance.now() - began) / 1000
  if (chooseProvider(options.env ?? {}) === 'external') {
    if (options.fresh === true)
      throw new StackError('--fresh is for the local stack only; your own servers are left alone.')
    console.log('Starting token-api, usage-worker and quota-enforcer on the servers that the environment names …')
    const running = await startServicesOnly(options)
    console.log(summarizeServices(running, options.env ?? {}, seconds()))
    return running
  }
  const running = await startStack(options)
  console.log(summarizeStack(running, options.dir, seconds()))
  return running
}

/** The wish to end: a signal, or a child that died. `pnpm` passes on a Ctrl-C that the terminal has sent already, hence the pause. */
const repeatedSignalPauseMs = 1000

const run = async (): Promise<number> => {
  if (existsSync(join(repoRoot, '.env'))) process.loadEnvFile(join(repoRoot, '.env'))
  const options = readOptions(process.argv.slice(2), process.env)
  if (options.help) {
    console.log(usage)
    return 0
  }
  const abort = new AbortController()
  let running: Running | null = null
  let failure: string | null = null
  let end = (): void => {}
  const ended = new Promise<void>((done) => {
    end = done
  })
  let askedAt: number | null = null
  const onSignal = () => {
    if (askedAt === null) {
      askedAt = Date.now()
      console.log('\nStopping …')
      abort.abort()
      end()
    } else if (Date.now() - askedAt > repeatedSignalPauseMs) {
      running?.killAll()
      process.exit(130)
    }
  }
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, onSignal)
  // Not a second Ctrl-C: launchers go at the first one, while we are still stopping in order.
  watchLaunchers(() => {
    if (askedAt === null) onSignal()
  })
  const onUnexpectedExit: ServerHooks['onUnexpectedExit'] = (name, exit, lastLines) => {
    failure ??= `${name} ended unexpectedly (${describeExit(exit)}); stopping everything. Its last lines:\n${lastLines}`
    end()
  }
  try {
    running = await startAll({ ...options, signal: abort.signal, hooks: { onUnexpectedExit } })
  } catch (error) {
    if (abort.signal.aborted) return 0
    throw error
  }
  await ended
  if (failure !== null) console.error(failure)
  await running.stop()
  if (failure === null) console.log('Stopped.')
  return failure === null ? 0 : 1
}

// The reader of our output may go first; that must not stop the orderly end.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {})

run().then(
  (code) => process.exit(code),
  (error: unknown) => {
    console.error(error instanceof StackError ? error.message : error)
    process.exit(1)
  },
)
