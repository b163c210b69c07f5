import { setTimeout as delay } from 'node:timers/promises'
import { type GenericContainer, getContainerRuntimeClient } from 'testcontainers'
import { StackError } from '../errors.ts'
import type { Server, ServerHooks } from '../server.ts'

type Container = ReturnType<Awaited<ReturnType<typeof getContainerRuntimeClient>>['container']['getById']>

/** What a server in a container is made of. */
export type ContainerSpec = ServerHooks & {
  name: string
  /** Describes the container; it is made at the first start and keeps its data until the test run ends. */
  describe: () => GenericContainer
  probe: () => Promise<boolean>
  readyTimeoutMs: number
}

const STOP_SECONDS = 20
const POLL_MS = 100

/** Builds the handle of a server in a container; nothing is started yet. testcontainers' reaper removes it in the end. */
export const createContainerServer = (spec: ContainerSpec): Server => {
  let container: Container | null = null
  let pid: number | null = null
  let ending = false

  const untilReady = async () => {
    for (const deadline = Date.now() + spec.readyTimeoutMs; Date.now() < deadline; await delay(POLL_MS)) {
      if (await spec.probe().catch(() => false)) return
    }
    throw new StackError(`${spec.name} was not ready within ${Math.round(spec.readyTimeoutMs / 1000)} s.`)
  }
  const watch = async (watched: Container) => {
    const { StatusCode } = await watched.wait()
    pid = null
    if (!ending) spec.onUnexpectedExit?.(spec.name, { code: StatusCode, signal: null }, '')
  }
  const start = async () => {
    if (pid !== null) return
    ending = false
    if (container === null) {
      const started = await spec.describe().start()
      const client = await getContainerRuntimeClient()
      container = client.container.getById(started.getId())
    } else await container.start()
    pid = (await container.inspect()).State.Pid
    void watch(container).catch(() => {})
    await untilReady()
    spec.onReady?.()
  }
  const end = async (how: (running: Container) => Promise<unknown>) => {
    ending = true
    if (container === null || pid === null) return
    await how(container)
    await container.wait()
    pid = null
  }
  return {
    name: spec.name,
    get pid() {
      return pid
    },
    start,
    stop: () => end((running) => running.stop({ t: STOP_SECONDS })),
    kill: (signal: NodeJS.Signals = 'SIGKILL') => end((running) => running.kill({ signal })),
  }
}
