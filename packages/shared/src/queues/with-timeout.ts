/** Marks a promise that took too long. */
class TimeoutError extends Error {
  override readonly name = 'TimeoutError'
}

/** Gives what the promise gives, or rejects with a `TimeoutError`; the work itself goes on unseen. */
export async function withTimeout<T>(work: Promise<T>, timeoutMs: number, what: string): Promise<T> {
  const { promise: expired, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(() => reject(new TimeoutError(`${what} took more than ${timeoutMs} ms`)), timeoutMs)
  try {
    return await Promise.race([work, expired])
  } finally {
    clearTimeout(timer)
    // The loser of the race may still reject; nobody is left to hear it.
    work.catch(() => undefined)
  }
}
