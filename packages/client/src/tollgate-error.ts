/** A refusal by the API (RFC 9457), or no answer at all (`status` 0). */
export class TollgateError extends Error {
  override readonly name = 'TollgateError'
  /** HTTP status; 0 when nothing was answered. */
  readonly status: number
  /** The last part of the problem's type, such as `organization-revoked`; `no-answer` when nothing was answered. */
  readonly code: string
  /** Why, from a closed set, where the code alone does not say enough. */
  readonly reason: string | undefined
  /** The whole problem as it was answered. */
  readonly problem: Readonly<Record<string, unknown>>
  /** When the API asks to be called again. */
  readonly retryAfterMs: number

  constructor(status: number, problem: Record<string, unknown>, retryAfterMs = 0, cause?: unknown) {
    super(textOf(problem.detail) ?? textOf(problem.title) ?? `The token API answered ${status}`, { cause })
    this.status = status
    this.code = textOf(problem.type)?.split('/').at(-1) ?? 'unknown'
    this.reason = textOf(problem.reason)
    this.problem = problem
    this.retryAfterMs = retryAfterMs
  }

  /** Whether the same request may succeed later. */
  get isTemporary(): boolean {
    return this.status === 0 || this.status === 429 || this.status >= 500
  }
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined
}
