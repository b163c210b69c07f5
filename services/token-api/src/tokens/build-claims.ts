import {
  type AccessTokenClaims,
  DEFAULT_LIBRECHAT_CONFIG,
  type LibreChatConfig,
  limitToPlan,
  readLibreChatConfig,
  reduceConfig,
  reducedConfig,
} from '@tollgate/shared/contracts'
import type { RpcRow } from '@tollgate/shared/store'
import { deriveIdentity } from './derive-identity.ts'
import { ACCESS_TOKEN } from './token-profile.ts'

/** What a login adds to a user's row. */
export interface LoginFacts {
  /** Seconds since the epoch. */
  readonly issuedAt: number
  readonly ttlSeconds: number
  readonly tokenId: string
  readonly loginSessionId: string
}

/** Makes the claims of an access token from the one row that says everything of its user. */
export function buildClaims(row: RpcRow<'find_login'>, login: LoginFacts): AccessTokenClaims {
  return {
    sub: row.user_id,
    ...deriveIdentity(row),
    organization: {
      id: row.organization_id,
      name: row.name ?? '',
      // The proxy takes the id in its place.
      domain: row.domain ?? row.organization_id,
      plan_type: row.plan_type ?? '',
      librechat_config: effectiveConfig(row),
    },
    iat: login.issuedAt,
    exp: login.issuedAt + login.ttlSeconds,
    iss: ACCESS_TOKEN.iss,
    aud: ACCESS_TOKEN.aud,
    jti: login.tokenId,
    sid: login.loginSessionId,
    ver: Number(row.version),
  }
}

/**
 * The stored config, its gaps filled from the plan, cut to the plan, with the limit that the quota really is, narrowed by
 * enforcement.
 * @throws ZodError for a reduction that cannot be read: ignoring it would grant what was taken away
 */
function effectiveConfig(row: RpcRow<'find_login'>): LibreChatConfig {
  const planConfig = readLibreChatConfig(row.plan_config, DEFAULT_LIBRECHAT_CONFIG)
  const config = limitToPlan(readLibreChatConfig(row.librechat_config, planConfig), row.plan_config)
  const limited = { ...config, max_tokens: row.limit_tokens === null ? null : Number(row.limit_tokens) }
  const reduced = reduceConfig(limited, reducedConfig.nullable().parse(row.reduced_config))
  return reduceConfig(reduced, reducedConfig.nullable().parse(row.user_reduced_config))
}
