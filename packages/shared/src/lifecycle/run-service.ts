import type { EventEmitter } from 'node:events'
import { setFlagsFromString } from 'node:v8'
import type { Logger } from '../logging/index.ts'
import { type Phase, type Phases, runPhases } from './shutdown.ts'

/** What `start` gets: where to put shutdown steps, and whether a shutdown has begun. */
export interface StartContext {
  readonly phases: Phases
  /** Aborted at the beginning of a shutdown: readiness turns off, loops end. */
  readonly stopping: AbortSignal
}

/** A service from its start to its exit. */
export interface ServiceOptions {
  readonly name: string
  readonly logger: Logger
  /** Opens everything, adding the shutdown step of each thing right after it was opened. */
  readonly start: (context: StartContext) => Promise<void>
  /** The process is ended after this time, whatever still runs. Default 10 s, at most. */
  readonly shutdownTimeoutMs?: number
  /** Default `process`. */
  readonly events?: EventEmitter
  /** Default `process.exit`. */
  readonly exit?: (code: number) => void
}

// V8 lets its heap grow to several times what is in use before it collects, the more so the more memory the machine has. A
// service under load then holds some hundred megabytes of garbage; a fifth is enough, and costs next to nothing.
const HEAP_GROWING_PERCENT = 20
const SIGNALS = ['SIGTERM', 'SIGINT'] as const

/**
 * Runs a service until SIGTERM or SIGINT, then shuts it down in phases. Exit code 0 after a clean end, 1 after a fault:
 * a failed start, an incomplete shutdown, an uncaught exception, or a second signal.
 */
export async function runService(options: ServiceOptions): Promise<void> {
  const { name, logger, events = process, exit = (code) => process.exit(code) } = options
  setFlagsFromString(`--heap-growing-percent=${HEAP_GROWING_PERCENT}`)
  const phases: Phase[] = []
  const stopping = new AbortController()
  const context: StartContext = { phases: collector(phases), stopping: stopping.signal }
  let starting: Promise<void> | undefined

  async function shutDown(reason: string, faultCode: 0 | 1): Promise<void> {
    if (stopping.signal.aborted) return
    stopping.abort()
    logger.info({ reason }, `${name} stops`)
    const limitMs = Math.min(options.shutdownTimeoutMs ?? 10_000, 10_000)
    const limit = setTimeout(() => {
      logger.fatal({ limitMs }, `${name} did not stop in time`)
      exit(1)
    }, limitMs)
    // A signal during the start: what is being opened now has to be closed as well.
    await starting?.catch(() => undefined)
    const outcome = await runPhases(phases, logger)
    clearTimeout(limit)
    logger.info({ outcome }, `${name} stopped`)
    exit(outcome === 'clean' ? faultCode : 1)
  }

  onSignals(events, (signal, count) => {
    if (count > 1) exit(1)
    else void shutDown(signal, 0)
  })
  onCrash(events, logger, exit)

  starting = options.start(context)
  try {
    await starting
    if (!stopping.signal.aborted) logger.info(`${name} is up`)
  } catch (error) {
    logger.fatal({ err: error }, `${name} could not start`)
    await shutDown('failed start', 1)
  }
}

/** Calls back at SIGTERM and SIGINT, with the number of signals so far. */
export function onSignals(events: EventEmitter, callback: (signal: string, count: number) => void): void {
  let count = 0
  for (const signal of SIGNALS) events.on(signal, () => callback(signal, ++count))
}

// After an uncaught fault nothing in the process can be trusted, a drain least of all; unacknowledged jobs come back.
function onCrash(events: EventEmitter, logger: Logger, exit: (code: number) => void): void {
  for (const event of ['uncaughtException', 'unhandledRejection'] as const) {
    events.on(event, (error: unknown) => {
      logger.fatal({ err: error, event }, 'uncaught fault')
      exit(1)
    })
  }
}

function collector(phases: Phase[]): Phases {
  return {
    add: (stage, name, timeoutMs, run) => {
      phases.push({ stage, name, timeoutMs, run })
    },
  }
}
