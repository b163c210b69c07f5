import { type Child, type ChildExit, type StopStep, stopChild, waitUntilReady } from './child.ts'
import { StackError } from './errors.ts'

/** What the owner of a server wants to hear of. */
export type ServerHooks = {
  /** Called when the server ends although nobody asked it to, through its handle. */
  onUnexpectedExit?: (name: string, exit: ChildExit, lastLines: string) => void
  /** Called each time the server has become ready. */
  onReady?: () => void
}

/** What a server is made of: how it is launched, how it shows that it answers, how it is asked to stop. */
export type ServerSpec = ServerHooks & {
  name: string
  launch: () => Promise<Child>
  probe: () => Promise<boolean>
  readyTimeoutMs: number
  stopSteps: readonly StopStep[]
  /** Called instead of a plain signal where killing the child alone would leave the server running (Docker). */
  killOutside?: (signal: NodeJS.Signals) => Promise<void>
}

/** A server that can be started, stopped and, for fault tests, killed and started again on the same port and data. */
export type Server = {
  readonly name: string
  /** Process id, or null while it is not running. */
  readonly pid: number | null
  start(): Promise<void>
  stop(): Promise<void>
  kill(signal?: NodeJS.Signals): Promise<void>
}

/** Builds the handle of a server; nothing is started yet. */
export const createServer = (spec: ServerSpec): Server => {
  let child: Child | null = null
  let starting: Promise<void> | null = null
  // True from the moment somebody asked for the end: an exit is then no surprise, and a start in progress gives up.
  let ending = false

  const launchAndWait = async () => {
    const started = await spec.launch()
    child = started
    let ready = false
    void started.exited.then((exit) => {
      if (ready && !ending && child === started) spec.onUnexpectedExit?.(spec.name, exit, started.lastLines())
    })
    try {
      if (ending) throw new StackError(`${spec.name} was stopped while starting.`)
      await waitUntilReady(started, spec.probe, spec.readyTimeoutMs)
    } catch (error) {
      ending = true
      await stopChild(started, spec.stopSteps)
      throw error
    }
    ready = true
    spec.onReady?.()
  }

  const start = async () => {
    if (child !== null && child.exit() === null) return
    ending = false
    starting = launchAndWait()
    await starting.finally(() => {
      starting = null
    })
  }

  const stop = async () => {
    ending = true
    if (child !== null) await stopChild(child, spec.stopSteps)
    await starting?.catch(() => {})
  }

  const kill = async (signal: NodeJS.Signals = 'SIGKILL') => {
    ending = true
    if (child === null || child.exit() !== null) return
    if (spec.killOutside) await spec.killOutside(signal)
    else child.kill(signal)
    await child.exited
  }

  return {
    name: spec.name,
    get pid() {
      return child === null || child.exit() !== null ? null : child.pid
    },
    start,
    stop,
    kill,
  }
}
