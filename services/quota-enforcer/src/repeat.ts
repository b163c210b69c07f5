/** What is repeated, and how often. */
export interface RepeatOptions {
  /** Aborted by `stop`; a long run should look at it. Gives a shorter wait (ms) until the next run, if it knows one. */
  readonly run: (signal: AbortSignal) => Promise<number | undefined>
  /** From the end of a run to the beginning of the next. */
  readonly intervalMs: number
  /**
   * A run that took long is followed by a rest of so many times as long, at least, but of 5 s at most: others get their
   * turn. Default 0.
   */
  readonly restPerWork?: number
  readonly onError: (error: unknown) => void
  readonly now: () => number
}

/** A task that is repeated until it is stopped, never two runs at a time. */
export interface Repetition {
  /** Runs at once; after the present run, if there is one. */
  wake(): void
  /** End of the last run that succeeded (epoch ms); undefined before the first. */
  lastSuccessAt(): number | undefined
  /** No run begins any more; resolves when the present one has ended. */
  stop(): Promise<void>
}

// A run takes long also where a process stood still or somebody else was slow: that says nothing of its work.
const LONGEST_REST_MS = 5_000

/** Starts with a run at once; a run that fails is reported and tried again after the interval. */
export function startRepeating({ run, intervalMs, restPerWork = 0, onError, now }: RepeatOptions): Repetition {
  const stopping = new AbortController()
  let wakeUp = Promise.withResolvers<void>()
  let successAt: number | undefined

  async function loop(): Promise<void> {
    while (!stopping.signal.aborted) {
      // Renewed before the run: a wake-up during it is answered by another run.
      wakeUp = Promise.withResolvers<void>()
      let waitMs: number | undefined
      let restMs = 0
      const beganMs = performance.now()
      try {
        waitMs = await run(stopping.signal)
        successAt = now()
        restMs = Math.min(LONGEST_REST_MS, restPerWork * (performance.now() - beganMs))
      } catch (error) {
        onError(error)
      }
      if (stopping.signal.aborted) return
      const timer = setTimeout(wakeUp.resolve, Math.max(restMs, Math.min(intervalMs, waitMs ?? intervalMs)))
      await wakeUp.promise
      clearTimeout(timer)
    }
  }

  const ended = loop()
  return {
    wake: () => wakeUp.resolve(),
    lastSuccessAt: () => successAt,
    stop: () => {
      stopping.abort()
      wakeUp.resolve()
      return ended
    },
  }
}
