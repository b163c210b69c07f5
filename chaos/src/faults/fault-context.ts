import { setTimeout as delay } from 'node:timers/promises'
import type { Server } from '@tollgate/local-stack'
import type { Fault } from '../schedule/fault.ts'
import type { ChaosStack } from '../stack/open-chaos-stack.ts'

/**
 * Does one fault: begins it, lets it last, and ends it, so that afterwards everything could be well again. Once the run is
 * `stopping` it rejects soon, and starts nothing.
 */
export type Inject = (stack: ChaosStack, fault: Fault, stopping: AbortSignal) => Promise<void>

/** Lets a fault last. Rejects when the run is stopping. */
export const last = (seconds: number, stopping: AbortSignal): Promise<void> =>
  delay(seconds * 1_000, undefined, { signal: stopping })

/** Starts a process again, but not in a run that is stopping: a start under way is given up then. Rejects if so. */
export async function startAgain(server: Server, stopping: AbortSignal): Promise<void> {
  stopping.throwIfAborted()
  const giveUp = () => void server.stop()
  stopping.addEventListener('abort', giveUp, { once: true })
  try {
    await server.start()
  } finally {
    stopping.removeEventListener('abort', giveUp)
  }
}
