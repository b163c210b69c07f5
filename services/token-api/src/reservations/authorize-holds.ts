import { ProblemError } from '@tollgate/shared/contracts'
import {
  type AuthenticateServiceKey,
  looksLikeServiceKey,
  type ServiceKey,
} from '../ingest/authenticate-service-key.ts'
import { requireScope } from '../ingest/identify-submitter.ts'
import { readBearer } from '../tokens/read-bearer.ts'

/** The server's key behind a request about holds. @throws ProblemError `unauthenticated`, `forbidden`, `unavailable` */
export async function authorizeHolds(
  authorization: string | undefined,
  authenticateKey: AuthenticateServiceKey,
): Promise<ServiceKey> {
  const bearer = readBearer(authorization)
  if ('token' in bearer && looksLikeServiceKey(bearer.token)) {
    return requireScope(bearer.token, 'reservations:write', authenticateKey)
  }
  const reason = 'token' in bearer ? 'malformed' : bearer.reason
  throw new ProblemError('unauthenticated', 'A key for servers is needed: "Authorization: Bearer tg_…".', {
    extensions: { reason },
  })
}
