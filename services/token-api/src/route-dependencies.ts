import type { Store } from './bind-store.ts'
import type { Config } from './config.ts'
import type { CheckAccessToken } from './gate/check-access-token.ts'
import type { GatedClaims, GateVerdict } from './gate/gate.ts'
import type { Admission } from './ingest/admit-events.ts'
import type { AuthenticateServiceKey } from './ingest/authenticate-service-key.ts'
import type { WaitForResult } from './ingest/await-outcomes.ts'
import type { CheckMembership } from './ingest/check-membership.ts'
import type { BacklogGuard } from './ingest/guard-backlog.ts'
import type { ServiceKeys } from './keys/open-service-keys.ts'
import type { Meters } from './meters.ts'
import type { AwaitForce } from './quota/await-force.ts'
import type { Positions } from './quota/open-positions.ts'
import type { Holds } from './reservations/open-holds.ts'
import type { Sessions } from './sessions/open-sessions.ts'
import type { TokenKeys } from './tokens/keys.ts'
import type { VerifyAccessToken } from './tokens/verify-access-token.ts'
import type { VerifySupabaseToken } from './tokens/verify-supabase-token.ts'

/** All that the routes stand on. */
export interface RouteDependencies {
  readonly config: Pick<
    Config,
    | 'SUPABASE_URL'
    | 'SUPABASE_PUBLISHABLE_KEY'
    | 'SUPABASE_JWT_SECRET'
    | 'SUPABASE_JWT_ISSUER'
    | 'LIBRECHAT_URL'
    | 'JWT_ACCESS_TOKEN_EXPIRY'
    | 'JWT_REFRESH_TOKEN_EXPIRY'
    | 'SESSION_MAX_AGE'
    | 'CORS_ORIGINS'
    | 'URL_TOKEN'
    | 'LIBRECHAT_JWT_SECRET'
    | 'JWT_PREVIOUS_SECRETS'
    | 'CHAT_EMBEDDING'
    | 'ENFORCEMENT_MODE'
    | 'SUPPORT_CONTACT'
    | 'WEBHOOKS_ALLOW_PRIVATE'
    | 'WEBHOOK_SECRET_KEYS'
  >
  readonly keys: TokenKeys
  readonly store: Store
  readonly serviceKeys: Pick<ServiceKeys, 'authenticate' | 'recall' | 'announce'>
  readonly sessions: Sessions
  readonly admit: Admission['admit']
  readonly holds: Holds
  readonly positions: Pick<Positions, 'show' | 'mark'>
  readonly secure: Admission['secure']
  /** Lets events in while not too many wait. @throws ProblemError */
  readonly enter: BacklogGuard['enter']
  readonly judge: (claims: GatedClaims) => GateVerdict
  readonly waitForResult: WaitForResult
  /** Never rejects. */
  readonly wakeEnforcer: (organizationId: string) => Promise<void>
  readonly awaitForce: AwaitForce
  readonly meters: Meters
  readonly now: () => number
  /** For spans, in ms: a clock that nobody sets. */
  readonly monotonicNow: () => number
  readonly newId: () => string
}

/** What several routes share. */
export interface Checks {
  readonly verifySupabase: VerifySupabaseToken
  readonly authenticateKey: AuthenticateServiceKey
  readonly check: CheckAccessToken
  /** Signature and expiry alone. */
  readonly verify: VerifyAccessToken
  readonly checkMembership: CheckMembership
}
