/** Writes that happen once per Idempotency-Key. */
export type IdempotencyFunctions = {
  begin_idempotent: {
    args: {
      request: {
        caller: string
        key: string
        fingerprint: string
        seed: string
        lease_seconds: number
        keep_seconds: number
      }
    }
    row: {
      outcome: 'begun' | 'running' | 'mismatch' | 'answered'
      status: number | null
      answer: string | null
      seed: string | null
      attempt: number | null
    }
  }
  finish_idempotent: {
    args: {
      result: {
        caller: string
        key: string
        attempt: number
        status: number | null
        answer: string | null
        nothing_done: boolean
      }
    }
    row: { kept: boolean }
  }
}
