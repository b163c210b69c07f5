import { join } from 'node:path'
import { type ChildRegistry, startChild } from './child.ts'
import { repoRoot } from './paths.ts'
import type { ServiceName } from './provision.ts'
import { createServer, type Server, type ServerHooks } from './server.ts'

/** The services in the order in which they start; they stop the other way round, so that what feeds a queue ends first. */
export const serviceNames = ['quota-enforcer', 'usage-worker', 'token-api'] as const satisfies readonly ServiceName[]

/** The program of each service. */
export const serviceScripts: Record<ServiceName, string> = {
  'token-api': join(repoRoot, 'services/token-api/src/main.ts'),
  'usage-worker': join(repoRoot, 'services/usage-worker/src/main.ts'),
  'quota-enforcer': join(repoRoot, 'services/quota-enforcer/src/main.ts'),
}

/** How one service is run as a process of its own. */
export type ServiceOptions = {
  name: string
  script: string
  port: number
  logFile: string
  env: NodeJS.ProcessEnv
  registry?: ChildRegistry
  hooks?: ServerHooks
}

/** A service that runs; `url` is its HTTP address. */
export type Service = Server & { readonly url: string }

const isReady = async (url: string): Promise<boolean> =>
  (await fetch(`${url}/readyz`, { signal: AbortSignal.timeout(3000) })).status === 200

/** Prepares a service process; `start()` returns when its /readyz answers 200. */
export const createService = (options: ServiceOptions): Service => {
  const { name, script, port, logFile, env, registry } = options
  const url = `http://127.0.0.1:${port}`
  const server = createServer({
    name,
    launch: () =>
      startChild(
        {
          name,
          command: process.execPath,
          // Node's default lets the garbage of a busy moment take some hundred megabytes (docs/operations.md).
          args: ['--max-semi-space-size=16', script],
          logFile,
          cwd: repoRoot,
          env: { ...env, HOST: '127.0.0.1', PORT: String(port) },
        },
        registry,
      ),
    probe: () => isReady(url),
    readyTimeoutMs: 60_000,
    stopSteps: [
      ['SIGTERM', 10_000],
      ['SIGKILL', 5000],
    ],
    ...options.hooks,
  })
  return Object.assign(server, { url })
}
