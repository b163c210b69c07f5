import { setTimeout as delay } from 'node:timers/promises'
import type { ChaosStack } from '../stack/open-chaos-stack.ts'
import { type Sample, takeSample } from './sample.ts'

const INTERVAL_MS = 2_000

/** Samples of a run, until stopped. */
export interface Sampling {
  readonly samples: readonly Sample[]
  /** Takes one now. */
  take(): Promise<Sample>
  stop(): Promise<void>
}

/** Takes a sample every two seconds. */
export function startSampling(chaos: ChaosStack): Sampling {
  const startMs = performance.now()
  const samples: Sample[] = []
  const stopping = new AbortController()
  const take = () => takeSample(chaos, Math.round((performance.now() - startMs) / 100) / 10)
  const work = async () => {
    while (!stopping.signal.aborted) {
      samples.push(await take())
      await delay(INTERVAL_MS, undefined, { signal: stopping.signal }).catch(() => undefined)
    }
  }
  const working = work()
  return {
    samples,
    take,
    stop: () => {
      stopping.abort()
      return working
    },
  }
}
