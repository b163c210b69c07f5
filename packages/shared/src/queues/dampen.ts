const WINDOW_MS = 5_000

/**
 * Passes an error on unless the same message was passed within the last five seconds: one Redis that is away makes
 * every connection report the same thing several times a second.
 */
export function dampen(report: (error: Error) => void, now: () => number = Date.now): (error: Error) => void {
  const lastAt = new Map<string, number>()
  return (error) => {
    const at = now()
    const key = `${error.name}: ${error.message}`
    if (at - (lastAt.get(key) ?? Number.NEGATIVE_INFINITY) < WINDOW_MS) return
    if (lastAt.size > 100) lastAt.clear()
    lastAt.set(key, at)
    report(error)
  }
}
