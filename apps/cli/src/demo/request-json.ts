import { DemoError, messageOf } from './demo-error.ts'

/** An answer whose body was JSON (or nothing readable: null). */
export interface JsonAnswer {
  readonly status: number
  readonly body: unknown
  readonly headers: Headers
}

/** How a request is made; the body is JSON text. */
export interface JsonRequest {
  readonly method?: 'GET' | 'POST' | 'PUT'
  readonly token: string
  readonly body?: string
  readonly headers?: Record<string, string>
  readonly timeoutMs?: number
  readonly signal?: AbortSignal | undefined
}

/** Makes one request. Rejects with DemoError when there is no answer in time; any status is an answer. */
export type RequestJson = (url: string, request: JsonRequest) => Promise<JsonAnswer>

const TIMEOUT_MS = 15_000

async function exchange(url: string, request: JsonRequest): Promise<JsonAnswer> {
  const { method = 'GET', token, body, headers, timeoutMs = TIMEOUT_MS, signal } = request
  const timeout = AbortSignal.timeout(timeoutMs)
  const response = await fetch(url, {
    method,
    headers: {
      authorization: `Bearer ${token}`,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...headers,
    },
    signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
    ...(body === undefined ? {} : { body }),
  })
  return { status: response.status, body: parseOrNull(await response.text()), headers: response.headers }
}

/** `RequestJson` over the platform's fetch, which keeps connections open. */
export const requestJson: RequestJson = (url, request) =>
  exchange(url, request).catch((cause: unknown) => {
    throw new DemoError(`No answer from ${new URL(url).origin}: ${messageOf(cause)}`, { cause })
  })

function parseOrNull(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}

/** A field of a JSON object, or undefined. */
export function fieldOf(body: unknown, name: string): unknown {
  return typeof body === 'object' && body !== null ? (body as Record<string, unknown>)[name] : undefined
}

/** A field that is text, or null. */
export function textField(body: unknown, name: string): string | null {
  const value = fieldOf(body, name)
  return typeof value === 'string' ? value : null
}

/** One line about an answer that was not hoped for, from its problem details where it has them. */
export function describeAnswer({ status, body }: JsonAnswer): string {
  const title = textField(body, 'title')
  const detail = textField(body, 'detail')
  return [`status ${status}`, title, detail].filter((part) => part !== null).join(': ')
}
