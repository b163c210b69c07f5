import { ProblemError } from '@tollgate/shared/contracts'
import {
  type AuthenticateServiceKey,
  looksLikeServiceKey,
  type ServiceKey,
} from '../ingest/authenticate-service-key.ts'
import { requireScope } from '../ingest/identify-submitter.ts'
import { readBearer } from '../tokens/read-bearer.ts'

/**
 * The server's key behind an `Authorization` header, if it has the scope. For routes that people have nothing to do with.
 * @throws ProblemError `unauthenticated`, `forbidden`, `unavailable`
 */
export async function requireKey(
  authorization: string | undefined,
  scope: string,
  authenticate: AuthenticateServiceKey,
): Promise<ServiceKey> {
  const bearer = readBearer(authorization)
  if ('token' in bearer && looksLikeServiceKey(bearer.token)) return requireScope(bearer.token, scope, authenticate)
  throw new ProblemError('unauthenticated', 'Send a key for servers as "Authorization: Bearer tg_…".', {
    extensions: { reason: 'token' in bearer ? 'unknown_key' : bearer.reason },
  })
}
