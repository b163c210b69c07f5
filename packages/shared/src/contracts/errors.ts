/**
 * Every problem that the HTTP API answers (RFC 9457): code → status and title.
 * The code is the last part of the problem's `type`.
 */
export const PROBLEMS = {
  'bad-request': { status: 400, title: 'The request is not valid' },
  'no-usable-event': { status: 400, title: 'No event of the request could be used' },
  unauthenticated: { status: 401, title: 'A valid credential is required' },
  'token-refused': { status: 401, title: 'The access token is refused' },
  forbidden: { status: 403, title: 'The credential does not allow this' },
  'handoff-refused': { status: 403, title: 'The link into the chat is refused' },
  'organization-revoked': { status: 403, title: 'The organization has no access at present' },
  'user-revoked': { status: 403, title: 'The user has no access at present' },
  'not-found': { status: 404, title: 'There is nothing here' },
  'request-timeout': { status: 408, title: 'The request did not arrive in time' },
  conflict: { status: 409, title: 'The request does not fit the present state' },
  'payload-too-large': { status: 413, title: 'The request is too large' },
  'unsupported-media-type': { status: 415, title: 'The content type is not supported' },
  'idempotency-key-reused': { status: 422, title: 'The idempotency key belongs to another request' },
  'quota-exceeded': { status: 429, title: 'The request does not fit into what is left of a limit' },
  'too-many-requests': { status: 429, title: 'Too many requests' },
  'headers-too-large': { status: 431, title: 'The headers are too large' },
  internal: { status: 500, title: 'Something went wrong on our side' },
  unavailable: { status: 503, title: 'A service that this needs is away' },
} as const
export type ProblemCode = keyof typeof PROBLEMS

/** Base of every problem's `type`; each code has a section in docs/problems.md under the same name. */
export const PROBLEM_TYPE_BASE = 'https://tollgate.dev/problems/'

// Problems that have a registered type keep it (IANA, HTTP problem types).
const REGISTERED_TYPES: Partial<Record<ProblemCode, string>> = {
  'quota-exceeded': 'https://iana.org/assignments/http-problem-types#quota-exceeded',
}

/** RFC 9457 problem details; `reason` and further members extend it. */
export interface ProblemDetails {
  type: string
  title: string
  status: number
  detail?: string
  [extension: string]: unknown
}

interface ProblemOptions {
  cause?: unknown
  /** Members beside the standard ones, such as `reason` or `errors`. */
  extensions?: Record<string, unknown>
  /** Seconds for `Retry-After`. */
  retryAfterSeconds?: number
}

/** A fault with a code that one handler turns into problem+json. */
export class ProblemError extends Error {
  override readonly name = 'ProblemError'
  readonly code: ProblemCode
  readonly extensions: Record<string, unknown>
  readonly retryAfterSeconds: number | undefined

  constructor(code: ProblemCode, detail: string, options: ProblemOptions = {}) {
    super(detail, { cause: options.cause })
    this.code = code
    this.extensions = options.extensions ?? {}
    this.retryAfterSeconds = options.retryAfterSeconds
  }

  /** The body of the answer. */
  toProblem(): ProblemDetails {
    const { status, title } = PROBLEMS[this.code]
    const type = REGISTERED_TYPES[this.code] ?? PROBLEM_TYPE_BASE + this.code
    return { ...this.extensions, type, title, status, detail: this.message }
  }
}
