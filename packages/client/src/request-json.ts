import { TollgateError } from './tollgate-error.ts'

/** One call of the API. */
export interface ApiRequest {
  readonly method: 'GET' | 'POST'
  readonly path: string
  readonly token?: string | undefined
  /** Sent as JSON; text is sent as it is. */
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>>
  readonly signal?: AbortSignal | undefined
  readonly timeoutMs?: number
  /** `include` sends the refresh cookie. */
  readonly credentials?: 'include' | 'omit'
}

/** Makes calls of one API. @throws TollgateError for every answer but success */
export type Call = <Answer>(request: ApiRequest) => Promise<Answer>

// Below the ten seconds in which a refresh may be repeated after a lost answer.
const TIMEOUT_MS = 7_000

/** Binds calls to an address and a `fetch`. */
export function createCall(baseUrl: string, fetchHere: typeof fetch): Call {
  const base = baseUrl.replace(/\/+$/, '')
  return async <Answer>(request: ApiRequest): Promise<Answer> => {
    const response = await fetchHere(base + request.path, toInit(request)).catch((cause: unknown) => {
      request.signal?.throwIfAborted()
      throw new TollgateError(0, { type: 'no-answer', title: `No answer from ${base}` }, 0, cause)
    })
    const body = await readJson(response)
    if (response.ok) return body as Answer
    throw new TollgateError(response.status, body, readRetryAfterMs(response))
  }
}

function toInit({ method, token, body, headers, signal, timeoutMs, credentials }: ApiRequest): RequestInit {
  const timeout = AbortSignal.timeout(timeoutMs ?? TIMEOUT_MS)
  return {
    method,
    credentials: credentials ?? 'omit',
    redirect: 'error',
    signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
    headers: {
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  }
}

// A proxy between may answer with a page of its own.
async function readJson(response: Response): Promise<Record<string, unknown>> {
  const body: unknown = await response.json().catch(() => null)
  return typeof body === 'object' && body !== null ? { ...body } : {}
}

function readRetryAfterMs(response: Response): number {
  const seconds = Number(response.headers.get('retry-after') ?? 0)
  return Number.isFinite(seconds) && seconds > 0 ? seconds * 1_000 : 0
}
