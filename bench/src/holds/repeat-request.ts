import { setTimeout as delay } from 'node:timers/promises'
import { BenchError } from '../bench-error.ts'

/** A request that a patient client makes. */
export interface PatientRequest {
  /** Instances of the token API; the next one is asked when one does not answer. */
  readonly urls: readonly string[]
  readonly path: string
  readonly key: string
  readonly json?: unknown
  readonly headers?: Record<string, string>
  /** Told of each try that failed. */
  readonly onRepeat: () => void
}

/** An answer below 500. */
export interface PatientAnswer {
  readonly status: number
  readonly body: unknown
}

const TRY_MS = 5_000
const GIVE_UP_MS = 90_000
const PAUSE_MS = 50

/** Posts until somebody answers something else than 5xx. @throws BenchError when nobody does for a minute and a half */
export async function repeatRequest(request: PatientRequest): Promise<PatientAnswer> {
  const { urls, path, key, json, headers, onRepeat } = request
  const giveUpAtMs = performance.now() + GIVE_UP_MS
  for (let turn = Math.floor(Math.random() * urls.length); performance.now() < giveUpAtMs; turn++) {
    try {
      const response = await fetch(`${urls[turn % urls.length]}${path}`, {
        method: 'POST',
        headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json', ...headers },
        body: JSON.stringify(json ?? {}),
        signal: AbortSignal.timeout(TRY_MS),
      })
      const body: unknown = await response.json()
      if (response.status < 500) return { status: response.status, body }
    } catch {
      // Killed while it answered, or not there.
    }
    onRepeat()
    await delay(PAUSE_MS)
  }
  throw new BenchError(`POST ${path}: nobody has answered for ${GIVE_UP_MS / 1_000} s.`)
}
