import {
  type AccessTokenClaims,
  ProblemError,
  type PublicEvent,
  type RejectionReason,
} from '@tollgate/shared/contracts'
import type { CheckAccessToken } from '../gate/check-access-token.ts'
import { explainRefusal } from '../gate/explain-refusal.ts'
import { readBearer } from '../tokens/read-bearer.ts'
import { type AuthenticateServiceKey, looksLikeServiceKey, type ServiceKey } from './authenticate-service-key.ts'

/** Who sends events: a server with its key, or a user with the own access token. */
export type Submitter =
  | { readonly kind: 'server'; readonly key: ServiceKey }
  | { readonly kind: 'user'; readonly claims: AccessTokenClaims }

/** @throws ProblemError `unauthenticated`, `token-refused`, `organization-revoked`, `forbidden`, `unavailable` */
export async function identifySubmitter(
  authorization: string | undefined,
  authenticate: AuthenticateServiceKey,
  check: CheckAccessToken,
): Promise<Submitter> {
  const bearer = readBearer(authorization)
  if ('token' in bearer && looksLikeServiceKey(bearer.token)) {
    return { kind: 'server', key: await requireScope(bearer.token, 'events:write', authenticate) }
  }
  const verdict = await check(authorization)
  if ('refusal' in verdict) throw explainRefusal(verdict.refusal)
  return { kind: 'user', claims: verdict.claims }
}

/** The key behind a credential, if it may do this. @throws ProblemError `unauthenticated`, `forbidden`, `unavailable` */
export async function requireScope(
  token: string,
  scope: string,
  authenticate: AuthenticateServiceKey,
): Promise<ServiceKey> {
  const key = await authenticate(token)
  if (key === undefined) {
    throw new ProblemError('unauthenticated', 'The key is unknown or revoked.', {
      extensions: { reason: 'unknown_key' },
    })
  }
  if (key.scopes.includes(scope)) return key
  throw new ProblemError('forbidden', `The key lacks the scope ${scope}.`, { extensions: { reason: 'missing_scope' } })
}

/** Why the submitter may not send this event; undefined when it may. */
export function forbidEvent(submitter: Submitter, event: PublicEvent): RejectionReason | undefined {
  const { organization_id } = event.data
  if (submitter.kind === 'server') {
    const isForeign = submitter.key.organization_id !== null && submitter.key.organization_id !== organization_id
    return isForeign ? 'organization_not_allowed' : undefined
  }
  if (event.type === 'tollgate.usage.recorded.v1' || event.type === 'tollgate.usage.corrected.v1')
    return 'type_not_allowed'
  const { organization, sub } = submitter.claims
  return organization.id === organization_id && sub === event.data.user_id ? undefined : 'organization_not_allowed'
}
