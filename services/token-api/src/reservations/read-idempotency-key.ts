import { ProblemError } from '@tollgate/shared/contracts'

const KEY = /^[\x21-\x7e]{1,255}$/

/**
 * The `Idempotency-Key` of a request (draft-ietf-httpapi-idempotency-key-header), taken as it is, quotes included;
 * undefined without one. @throws ProblemError `bad-request`
 */
export function readIdempotencyKey(header: string | string[] | undefined): string | undefined {
  if (header === undefined) return undefined
  if (typeof header === 'string' && KEY.test(header)) return header
  throw new ProblemError('bad-request', 'An Idempotency-Key is 1 to 255 visible ASCII characters.')
}
