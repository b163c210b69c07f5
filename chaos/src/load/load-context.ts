import { setTimeout as delay } from 'node:timers/promises'
import type { Random } from '../schedule/random.ts'
import type { ChaosStack } from '../stack/open-chaos-stack.ts'
import type { Book } from './book.ts'

/** What every client has. */
export interface LoadContext {
  readonly chaos: ChaosStack
  readonly book: Book
  readonly random: Random
  /** Aborted when no more is to be begun; what was begun is still brought to its end. */
  readonly stopping: AbortSignal
  /** Counts what was done, by name. */
  readonly count: (what: string, times?: number) => void
  /** Told why a call is repeated, of each kind of call the last reason. */
  readonly troubles: Map<string, string>
}

const GIVE_UP_MS = 180_000
const PAUSE_MS = 150

/** Repeats a call until it succeeds. @throws its last error, after three minutes */
export async function patiently<Answer>(
  { count, troubles }: Pick<LoadContext, 'count' | 'troubles'>,
  what: string,
  call: () => Promise<Answer>,
): Promise<Answer> {
  for (const giveUpMs = performance.now() + GIVE_UP_MS; ; ) {
    try {
      const answer = await call()
      troubles.delete(what)
      return answer
    } catch (error) {
      if (performance.now() > giveUpMs) throw error
      troubles.set(what, String(error))
      count(`${what}: repeated`)
    }
    await delay(PAUSE_MS)
  }
}

/** Pauses between two acts of a client; returns at once when the load is to stop. */
export async function pause(ms: number, stopping: AbortSignal): Promise<void> {
  await delay(ms, undefined, { signal: stopping }).catch(() => undefined)
}
