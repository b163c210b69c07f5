import { hash } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { ServiceKey, ServiceKeyCache } from '../ingest/authenticate-service-key.ts'
import type { CountKey } from '../manners/count-keys.ts'
import { readJson } from '../plugins/json-body.ts'
import { type CollectedHeaders, collectHeaders } from './collect-headers.ts'
import type { HandOver } from './hand-over.ts'
import { writeTogether } from './write-together.ts'

/** A route of metering, as the short way serves it. */
export interface ShortPost {
  /** What the key must be allowed to do. */
  readonly scope: string
  readonly contentTypes: readonly string[]
  /** As the route's. */
  readonly bodyLimitBytes: number
  /** Of a yes. */
  readonly status: number
  /**
   * What is to be done with a body: gives the body of the yes, or rejects with what the route would have failed with.
   * Undefined: the body is the route's to judge.
   */
  prepare(body: unknown): Begin | undefined
}

/** What a post does. */
export type Begin = (post: Posted) => Promise<unknown>

/** What is known of a post when its body has been read. */
export interface Posted {
  readonly key: ServiceKey
  readonly contentType: string
  /** The headers of its answer. */
  readonly reply: CollectedHeaders
}

/** What the short way of posts stands on. */
export interface ShortPostOptions {
  readonly posts: Readonly<Record<string, ShortPost>>
  readonly recallKey: ServiceKeyCache['recall']
  /** Absent: nobody is limited. */
  readonly countKey: CountKey | undefined
  readonly takeRequestId: (request: IncomingMessage) => string
  /** Names and values in turn, as each answer has them. */
  readonly headers: readonly string[]
  readonly isStopping: () => boolean
  /** The long way, and that of what has failed on this one. */
  readonly handOver: HandOver
}

/**
 * Makes the short way of what servers post at each model call: from a key that is known to be good at this moment, with
 * no wish beside, and with a body that is here as a whole. False leaves a request, untouched, to the route; so does what
 * shows later that it is none of this, before anything has begun. What fails is answered as the route answers it.
 */
export function answerPosts(
  options: ShortPostOptions,
): (request: IncomingMessage, response: ServerResponse) => boolean {
  const { posts, recallKey, isStopping, handOver } = options
  const begin = beginPost(options)
  const recognise = (authorization: string | undefined, scope: string): ServiceKey | undefined => {
    if (authorization === undefined || !authorization.startsWith(SCHEME)) return undefined
    const key = recallKey(hash('sha256', authorization.slice(SCHEME.length)))
    return key?.scopes.includes(scope) === true ? key : undefined
  }
  return (request, response) => {
    const { method, url = '', headers } = request
    if (method !== 'POST' || !Object.hasOwn(posts, url) || isStopping()) return false
    const post = posts[url]
    const contentType = headers['content-type'] ?? ''
    if (post?.contentTypes.includes(contentType) !== true || ODD.some((name) => name in headers)) return false
    // Without a length there is no body, which is nothing for this way.
    if (!(Number(headers['content-length']) <= post.bodyLimitBytes)) return false
    const key = recognise(headers.authorization, post.scope)
    if (key === undefined) return false
    // Most bodies arrive with their headers: when all that has arrived is read, they are here as a whole.
    setImmediate(() => {
      try {
        if (!begin({ request, response, post, key, contentType, url })) handOver.route(request, response)
      } catch (error) {
        // Nobody else would catch it, and the process would end.
        handOver.fail(request, response, { error, headers: [] })
      }
    })
    return true
  }
}

interface Arrived extends Pick<Posted, 'key' | 'contentType'> {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly post: ShortPost
  readonly url: string
}

function beginPost({ countKey, takeRequestId, headers, handOver }: ShortPostOptions): (arrived: Arrived) => boolean {
  const together = writeTogether()
  return ({ request, response, post, key, contentType, url }) => {
    // To read what is empty would end the request before its route listens.
    const body = request.complete && request.readableLength > 0 ? readWhole(request) : undefined
    if (body === undefined) return false
    const act = post.prepare(body.json)
    const counted = act && (countKey === undefined ? [] : countKey(key.id, url))
    if (act === undefined || counted === undefined) {
      request.unshift(body.bytes)
      return false
    }
    const reply = collectHeaders(counted)
    const answer = (yes: unknown) => {
      const text = JSON.stringify(yes)
      const own = ['content-type', JSON_TYPE, 'content-length', String(Buffer.byteLength(text))]
      response.writeHead(post.status, headers.concat(own, 'x-request-id', takeRequestId(request), reply.flat()))
      together(() => response.end(text))
    }
    act({ key, contentType, reply })
      .then(answer)
      .catch((error: unknown) => handOver.fail(request, response, { error, headers: reply.headers }))
    return true
  }
}

/** A body that is JSON; what is not is left where it is. */
function readWhole(request: IncomingMessage): { readonly bytes: Buffer; readonly json: unknown } | undefined {
  const bytes: unknown = request.read()
  if (!(bytes instanceof Buffer)) return undefined
  try {
    return { bytes, json: readJson(bytes) }
  } catch {
    request.unshift(bytes)
    return undefined
  }
}

const SCHEME = 'Bearer '
const JSON_TYPE = 'application/json; charset=utf-8'
// A body in another form, or a wish that is the route's to grant.
const ODD = ['transfer-encoding', 'content-encoding', 'accept-version', 'expect', 'origin', 'prefer', 'idempotency-key']
