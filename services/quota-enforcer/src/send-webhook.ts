import { promises as dns, type LookupAddress } from 'node:dns'
import { type IncomingMessage, request as requestHttp } from 'node:http'
import { request as requestHttps } from 'node:https'
import { isPublicAddress, readTarget, signWebhook, TargetError } from '@tollgate/shared/webhooks'

/** Finds the addresses of a name. */
export type Resolve = (host: string) => Promise<LookupAddress[]>

/** What sending stands on. */
export interface SendDependencies {
  /** Allow http, and addresses that are not public. */
  readonly allowPrivate: boolean
  readonly timeoutMs: number
  readonly now: () => number
  /** Default: the system's. */
  readonly resolve?: Resolve
}

/** One attempt: the same `id` and `body` each time. */
export interface Message {
  readonly id: string
  readonly url: string
  readonly body: string
  /** The present secret first. */
  readonly secrets: readonly string[]
}

/** How an attempt ended; `status` null: no answer came. */
export interface SendResult {
  readonly delivered: boolean
  readonly status: number | null
  readonly error: string | null
}

/** Sends a message once; rejects only when `signal` aborts. */
export type SendWebhook = (message: Message, signal: AbortSignal) => Promise<SendResult>

const resolveBySystem: Resolve = (host) => dns.lookup(host, { all: true })

/**
 * Makes the sender. A name is resolved once and the connection goes to what was looked at, so that a second answer of its
 * name server is never asked for. Redirects are answers like any other; of a body nothing is read.
 */
export function createSendWebhook({
  allowPrivate,
  timeoutMs,
  now,
  resolve = resolveBySystem,
}: SendDependencies): SendWebhook {
  return async (message, signal) => {
    const bounded = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)])
    try {
      const url = readTarget(message.url, allowPrivate)
      const addresses = await unlessAborted(resolve(url.hostname.replace(/^\[|\]$/g, '')), bounded)
      if (addresses.length === 0) throw new TargetError('The name has no address.')
      if (!allowPrivate && !addresses.every(({ address }) => isPublicAddress(address))) {
        throw new TargetError('The name leads to an address that is not one of the public Internet.')
      }
      const { statusCode = 0 } = await post(url, addresses, message, Math.floor(now() / 1_000), bounded)
      const delivered = statusCode >= 200 && statusCode < 300
      return { delivered, status: statusCode, error: delivered ? null : `answered ${statusCode}` }
    } catch (error) {
      if (signal.aborted) throw error
      return { delivered: false, status: null, error: explain(error, bounded.aborted) }
    }
  }
}

function post(
  url: URL,
  addresses: LookupAddress[],
  { id, body, secrets }: Message,
  timestamp: number,
  signal: AbortSignal,
): Promise<IncomingMessage> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>()
  const request = url.protocol === 'https:' ? requestHttps : requestHttp
  const sent = request(url, {
    method: 'POST',
    agent: false,
    signal,
    lookup: (_host, options, done) => {
      const [first] = addresses
      if (options.all) done(null, addresses)
      else if (first) done(null, first.address, first.family)
    },
    headers: {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(body),
      'user-agent': 'tollgate-webhooks/1',
      'webhook-id': id,
      'webhook-timestamp': String(timestamp),
      'webhook-signature': signWebhook({ id, timestamp, body }, secrets),
    },
  })
  sent.on('error', reject)
  sent.on('response', (response) => {
    // Status is all that counts: an endless body is not waited for.
    response.on('error', () => undefined)
    response.destroy()
    resolve(response)
  })
  sent.end(body)
  return promise
}

function unlessAborted<Value>(work: Promise<Value>, signal: AbortSignal): Promise<Value> {
  const { promise, reject } = Promise.withResolvers<never>()
  signal.addEventListener('abort', () => reject(signal.reason), { once: true })
  return Promise.race([work, promise])
}

// What stands in the log is read by whoever owns the endpoint: no stack, no address of ours.
function explain(error: unknown, timedOut: boolean): string {
  if (error instanceof TargetError) return error.message
  if (timedOut) return 'no answer in time'
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'failed'
  return `no connection: ${code}`
}
