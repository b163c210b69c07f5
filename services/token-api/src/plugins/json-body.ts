import { promisify } from 'node:util'
import { gunzip } from 'node:zlib'
import { ProblemError } from '@tollgate/shared/contracts'
import type { App } from '../routes/typed-app.ts'

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
const inflate = promisify(gunzip)
/** The most that a body may hold where a route does not say otherwise. */
export const JSON_LIMIT_BYTES = 64 * 1024
const GZIP: ReadonlySet<string> = new Set(['gzip', 'x-gzip'])

/**
 * Refuses bodies in another encoding than gzip before they are read. The answer says what is taken (RFC 7694 3).
 * Must be called before the routes are added.
 */
export function refuseOtherEncodings(app: App): void {
  app.addHook('preParsing', (request, reply, _payload, done) => {
    const encoding = encodingOf(request.headers)
    if (encoding === 'identity' || GZIP.has(encoding)) return done()
    reply.header('accept-encoding', 'gzip, identity')
    done(new ProblemError('unsupported-media-type', 'A body may be encoded with gzip, and with nothing else.'))
  })
}

/**
 * Reads bodies of these types as JSON in UTF-8 (RFC 8259 8.1), plain or compressed with gzip; `bodyLimit` holds for
 * what arrives and for what it inflates to. An empty body is undefined, since clients send the header without one.
 * JSON.parse alone is safe here: nothing is ever copied into an object but by a schema.
 */
export function parseJsonBodies(app: App, contentTypes: string[], bodyLimit: number): void {
  app.removeContentTypeParser(contentTypes)
  const options = { parseAs: 'buffer', bodyLimit } as const
  app.addContentTypeParser(contentTypes, options, async (request: Encoded, body: Buffer) => {
    const plain = GZIP.has(encodingOf(request.headers)) ? await inflateBounded(body, bodyLimit) : body
    return readJson(plain)
  })
}

/** @throws ProblemError `bad-request` */
export function readJson(body: Buffer): unknown {
  if (body.length === 0) return undefined
  try {
    return JSON.parse(decoder.decode(body))
  } catch (error) {
    throw new ProblemError('bad-request', 'The body is not JSON in UTF-8.', { cause: error })
  }
}

interface Encoded {
  readonly headers: { readonly 'content-encoding'?: string | undefined }
}

function encodingOf(headers: Encoded['headers']): string {
  return headers['content-encoding']?.trim().toLowerCase() || 'identity'
}

/** Inflates piece by piece and stops at the first byte too many, so that a bomb costs no more memory than the limit. */
async function inflateBounded(body: Buffer, maxOutputLength: number): Promise<Buffer> {
  try {
    return await inflate(body, { maxOutputLength })
  } catch (error) {
    if (error instanceof RangeError) {
      throw new ProblemError('payload-too-large', `The body inflates to more than ${maxOutputLength} bytes.`)
    }
    throw new ProblemError('bad-request', 'The body is not gzip, or is cut off.', { cause: error })
  }
}
