/** The right to believe the copy, which runs out unless it is renewed. */
export interface Lease {
  /** Renews for the lease's length from `begunAtMs`, when the proof was asked for and not when it came. */
  renew(begunAtMs: number): void
  isHeld(): boolean
}

/** Makes a lease that is not held yet. `monotonicNow` must not jump with the clock on the wall. */
export function createLease(lengthMs: number, monotonicNow: () => number): Lease {
  let heldUntilMs = Number.NEGATIVE_INFINITY
  return {
    renew: (begunAtMs) => {
      heldUntilMs = Math.max(heldUntilMs, begunAtMs + lengthMs)
    },
    isHeld: () => monotonicNow() < heldUntilMs,
  }
}
