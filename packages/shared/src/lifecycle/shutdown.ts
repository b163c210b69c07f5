import { setTimeout as delay } from 'node:timers/promises'
import type { Logger } from '../logging/index.ts'

/** `drain` finishes what was accepted, `close` lets go of connections. */
export type Stage = 'drain' | 'close'

/** One step of a shutdown. */
export interface Phase {
  readonly stage: Stage
  readonly name: string
  readonly timeoutMs: number
  readonly run: () => unknown
}

/** Collects the steps of a shutdown while a service starts. */
export interface Phases {
  /** Drains run in the order in which they were added, then closes in the reverse order. */
  add(stage: Stage, name: string, timeoutMs: number, run: Phase['run']): void
}

/** Puts phases into the order in which they run. */
function orderPhases(phases: readonly Phase[]): Phase[] {
  const drains = phases.filter((phase) => phase.stage === 'drain')
  const closes = phases.filter((phase) => phase.stage === 'close')
  return [...drains, ...closes.reverse()]
}

/** Runs phases one after the other; a phase that fails or hangs is logged and does not hold up the next. */
export async function runPhases(phases: readonly Phase[], logger: Logger): Promise<'clean' | 'incomplete'> {
  let outcome: 'clean' | 'incomplete' = 'clean'
  for (const phase of orderPhases(phases)) {
    const result = await runPhase(phase)
    if (result.status === 'done') {
      logger.debug({ phase: phase.name, stage: phase.stage }, 'shutdown phase done')
    } else {
      outcome = 'incomplete'
      logger.error({ phase: phase.name, stage: phase.stage, err: result.error }, `shutdown phase ${result.status}`)
    }
  }
  return outcome
}

type PhaseResult = { status: 'done'; error?: undefined } | { status: 'failed' | 'timed out'; error: unknown }

async function runPhase(phase: Phase): Promise<PhaseResult> {
  const timer = new AbortController()
  const expired = delay(phase.timeoutMs, undefined, { signal: timer.signal }).then(
    (): PhaseResult => ({ status: 'timed out', error: new Error(`took more than ${phase.timeoutMs} ms`) }),
  )
  const done = Promise.try(phase.run).then(
    (): PhaseResult => ({ status: 'done' }),
    (error: unknown): PhaseResult => ({ status: 'failed', error }),
  )
  try {
    return await Promise.race([done, expired])
  } finally {
    timer.abort()
    expired.catch(() => undefined)
  }
}
