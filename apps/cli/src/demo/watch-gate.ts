import type { RefusalReason } from '@tollgate/shared/contracts'
import { type JsonAnswer, type RequestJson, textField } from './request-json.ts'

/** One answer of `GET /api/auth/verify`. */
export interface VerifyAnswer {
  readonly status: number
  readonly reason: string | null
  readonly body: unknown
}

/** The refusal that was waited for; times are those of the given clock, in milliseconds. */
interface Refusal extends VerifyAnswer {
  /** When the last request that was still let through began; null when none was. */
  readonly lastPassedAtMs: number | null
  readonly answeredAtMs: number
}

/** What a watch saw, from its start to its end. */
export interface WatchResult {
  readonly passed: number
  /** Refusals by reason, the awaited one included once. */
  readonly refusals: Readonly<Record<string, number>>
  readonly unanswered: number
  readonly renewed: number
  readonly awaited: Refusal | null
}

/** How a gate is watched. */
export interface WatchOptions {
  readonly verify: (token: string) => Promise<VerifyAnswer>
  readonly token: string
  /** The refusal to wait for; null watches that there is none. */
  readonly awaits: RefusalReason | null
  /** Gets a new token when the present one is superseded on the way to another refusal; null when there is none to get. */
  readonly renew: () => Promise<string | null>
  readonly now: () => number
  readonly sleep: (ms: number) => Promise<void>
  readonly intervalMs: number
  readonly onAwaited?: ((refusal: Refusal) => void) | undefined
}

/** A watch under way. */
export interface GateWatch {
  /** Settles when the awaited refusal was seen or the watch was stopped. */
  readonly done: Promise<WatchResult>
  stop(): void
}

/** Asks verify about one token. */
export async function verifyToken(request: RequestJson, tokenApi: string, token: string): Promise<VerifyAnswer> {
  const answer: JsonAnswer = await request(new URL('/api/auth/verify', tokenApi).href, { token })
  return { status: answer.status, reason: textField(answer.body, 'reason'), body: answer.body }
}

/** Polls verify with one token until the awaited refusal, or until it is stopped. A lost connection is counted and passed over. */
export function watchGate(options: WatchOptions): GateWatch {
  const { verify, awaits, renew, now, sleep, intervalMs, onAwaited } = options
  let stopped = false
  let { token } = options
  let lastPassedAtMs: number | null = null
  const counts = { passed: 0, unanswered: 0, renewed: 0 }
  const refusals: Record<string, number> = {}
  const look = async (): Promise<Refusal | null> => {
    const askedAtMs = now()
    const answer = await verify(token)
    const answeredAtMs = now()
    if (answer.status === 200) {
      counts.passed += 1
      lastPassedAtMs = askedAtMs
      return null
    }
    const reason = answer.reason ?? `status ${answer.status}`
    refusals[reason] = (refusals[reason] ?? 0) + 1
    if (reason === awaits) return { ...answer, lastPassedAtMs, answeredAtMs }
    if (reason === 'superseded') {
      const renewed = await renew()
      if (renewed !== null) counts.renewed += 1
      token = renewed ?? token
    }
    return null
  }
  const run = async (): Promise<WatchResult> => {
    let awaited: Refusal | null = null
    while (!stopped && awaited === null) {
      awaited = await look().catch(() => {
        counts.unanswered += 1
        return null
      })
      if (awaited === null && !stopped) await sleep(intervalMs)
    }
    if (awaited) onAwaited?.(awaited)
    return { ...counts, refusals, awaited }
  }
  return {
    done: run(),
    stop: () => {
      stopped = true
    },
  }
}
