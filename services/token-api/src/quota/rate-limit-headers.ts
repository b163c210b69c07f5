/** What the headers tell of: LLM tokens of the current period. */
export interface Position {
  readonly limit_tokens: string | null
  readonly used_tokens: string
  readonly reserved_tokens: string
  readonly period_start: string
  readonly period_end: string
}

/** An answer that takes headers. */
export interface HeaderSink {
  getHeader(name: string): unknown
  header(name: string, value: string): unknown
}

// An Integer of a structured field has 15 digits at most (RFC 9651 3.3.1).
const MAX_INTEGER = 999_999_999_999_999n

/**
 * Sets `RateLimit-Policy` and `RateLimit` (draft-ietf-httpapi-ratelimit-headers) of the month's LLM tokens: quota and
 * window in seconds, what remains, seconds until it begins anew. Nothing is set without a limit or after its period. The
 * fields are lists: a limit of the caller's requests that stands there stays the first of two.
 */
export function setRateLimit(reply: HeaderSink, position: Position | undefined, nowMs: number): void {
  if (position === undefined || position.limit_tokens === null) return
  const { policy, remaining, endMs } = write(position, position.limit_tokens)
  const resetSeconds = Math.ceil((endMs - nowMs) / 1_000)
  if (resetSeconds <= 0) return
  append(reply, 'ratelimit-policy', policy)
  append(reply, 'ratelimit', `${remaining};t=${resetSeconds}`)
}

/** What of the headers stands as long as the position does. */
interface Written {
  readonly policy: string
  readonly remaining: string
  readonly endMs: number
}

// Most positions are shown with many answers, and none is ever changed: another takes its place.
const written = new WeakMap<Position, Written>()

function write(position: Position, limitTokens: string): Written {
  const known = written.get(position)
  if (known !== undefined) return known
  const endMs = Date.parse(position.period_end)
  const limit = BigInt(limitTokens)
  const remaining = limit - BigInt(position.used_tokens) - BigInt(position.reserved_tokens)
  const windowSeconds = Math.round((endMs - Date.parse(position.period_start)) / 1_000)
  const texts = {
    policy: `"monthly-tokens";q=${clamp(limit)};w=${windowSeconds}`,
    remaining: `"monthly-tokens";r=${clamp(remaining)}`,
    endMs,
  }
  written.set(position, texts)
  return texts
}

function append(reply: HeaderSink, name: string, item: string): void {
  const present = reply.getHeader(name)
  reply.header(name, typeof present === 'string' ? `${present}, ${item}` : item)
}

function clamp(count: bigint): bigint {
  if (count < 0n) return 0n
  return count > MAX_INTEGER ? MAX_INTEGER : count
}
