import type { AccessTokenClaims } from '@tollgate/shared/contracts'
import { addReservationRoutes } from './add-reservation-routes.ts'
import type { Store } from './bind-store.ts'
import type { Config } from './config.ts'
import { type CheckAccessToken, createAccessCheck } from './gate/check-access-token.ts'
import type { GatedClaims, GateVerdict } from './gate/gate.ts'
import type { Admission } from './ingest/admit-events.ts'
import type { AuthenticateServiceKey } from './ingest/authenticate-service-key.ts'
import type { WaitForResult } from './ingest/await-outcomes.ts'
import { type CheckMembership, createMembershipCheck } from './ingest/check-membership.ts'
import type { BacklogGuard } from './ingest/guard-backlog.ts'
import type { ServiceKeys } from './keys/open-service-keys.ts'
import type { Meters } from './meters.ts'
import { createNamedAdmission } from './reservations/admit-named.ts'
import type { Holds } from './reservations/open-holds.ts'
import { deleteKey } from './routes/delete-key.ts'
import { getAudit } from './routes/get-audit.ts'
import { getKeys } from './routes/get-keys.ts'
import { getLibreChatAuth } from './routes/get-librechat-auth.ts'
import { getQuota } from './routes/get-quota.ts'
import { getVerify } from './routes/get-verify.ts'
import { postEvents } from './routes/post-events.ts'
import { postKeyRotation } from './routes/post-key-rotation.ts'
import { postKeys } from './routes/post-keys.ts'
import { postLibreChatAuth } from './routes/post-librechat-auth.ts'
import { putQuota } from './routes/put-quota.ts'
import type { App } from './routes/typed-app.ts'
import { issueAccessToken } from './tokens/issue-access-token.ts'
import { issueHandoff } from './tokens/issue-handoff.ts'
import type { TokenKeys } from './tokens/keys.ts'
import { startLogin } from './tokens/start-login.ts'
import { createAccessTokenVerifier } from './tokens/verify-access-token.ts'
import { createSupabaseTokenVerifier, type VerifySupabaseToken } from './tokens/verify-supabase-token.ts'

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
    | 'URL_TOKEN'
  >
  readonly keys: TokenKeys
  readonly store: Store
  readonly serviceKeys: Pick<ServiceKeys, 'authenticate' | 'announce'>
  readonly admit: Admission['admit']
  readonly holds: Holds
  readonly secure: Admission['secure']
  /** Lets events in while not too many wait. @throws ProblemError */
  readonly enter: BacklogGuard['enter']
  readonly judge: (claims: GatedClaims) => GateVerdict
  readonly waitForResult: WaitForResult
  /** Never rejects. */
  readonly wakeEnforcer: (organizationId: string) => Promise<void>
  readonly meters: Meters
  readonly now: () => number
  readonly newId: () => string
}

/** What several routes share. */
interface Checks {
  readonly verifySupabase: VerifySupabaseToken
  readonly authenticateKey: AuthenticateServiceKey
  readonly check: CheckAccessToken
  readonly checkMembership: CheckMembership
}

/** Adds the routes, each with what it needs and no more. */
export function addRoutes(app: App, dependencies: RouteDependencies): void {
  const { config, keys, serviceKeys, store, judge, meters, now } = dependencies
  const checks: Checks = {
    verifySupabase: createSupabaseTokenVerifier(supabaseTokens(config, now)),
    authenticateKey: serviceKeys.authenticate,
    check: createAccessCheck({
      verify: createAccessTokenVerifier(keys.access, now),
      judge,
      onRefusal: (reason) => meters.refusals.inc({ reason }),
    }),
    checkMembership: createMembershipCheck({ ...store, now }),
  }
  addLoginRoutes(app, dependencies, checks)
  getVerify(app, checks.check)
  addEventRoutes(app, dependencies, checks)
  addQuotaRoutes(app, dependencies, checks)
  addKeyRoutes(app, dependencies, checks)
  addReservationRoutes(app, { ...dependencies, ...checks })
}

function supabaseTokens(config: RouteDependencies['config'], now: () => number) {
  const authUrl = `${config.SUPABASE_URL.replace(/\/+$/, '')}/auth/v1`
  const keys =
    config.SUPABASE_JWT_SECRET === undefined
      ? { jwksUrl: `${authUrl}/.well-known/jwks.json`, apiKey: config.SUPABASE_PUBLISHABLE_KEY }
      : { jwtSecret: config.SUPABASE_JWT_SECRET }
  return { issuer: config.SUPABASE_JWT_ISSUER ?? authUrl, keys, now }
}

function addLoginRoutes(app: App, dependencies: RouteDependencies, { verifySupabase }: Checks): void {
  const { config, keys, store, admit, meters, now, newId } = dependencies
  const start = async (userId: string): Promise<AccessTokenClaims> => {
    const ttlSeconds = config.JWT_ACCESS_TOKEN_EXPIRY
    const claims = await startLogin(userId, { findLogin: store.findLogin, admit, ttlSeconds, now, newId })
    meters.logins.inc()
    return claims
  }
  const issueToken = (claims: AccessTokenClaims) => issueAccessToken(claims, keys.access)
  const issueUrlToken =
    config.URL_TOKEN === 'access' ? issueToken : (claims: AccessTokenClaims) => issueHandoff(claims, keys.handoff)
  getLibreChatAuth(app, { verifySupabase, startLogin: start, issueUrlToken, libreChatUrl: config.LIBRECHAT_URL })
  postLibreChatAuth(app, { verifySupabase, startLogin: start, issueToken })
}

function addEventRoutes(app: App, dependencies: RouteDependencies, checks: Checks): void {
  const { holds, secure, enter, waitForResult, meters, now } = dependencies
  const { authenticateKey, check, checkMembership } = checks
  const admit = createNamedAdmission({
    admit: dependencies.admit,
    commit: holds.commit,
    onAccepted: (events) => meters.accepted.inc({ path: 'reservation' }, events),
  })
  postEvents(app, {
    authenticateKey,
    check,
    checkMembership,
    secure,
    admit: async (events, options) => {
      const settle = enter(events.length)
      const stop = meters.admission.startTimer()
      try {
        const receipts = await admit(events, options)
        settle(true)
        return receipts
      } catch (error) {
        settle(false)
        throw error
      } finally {
        stop()
      }
    },
    waitForResult,
    onRejected: (reason) => meters.rejected.inc({ reason }),
    now,
  })
}

function addQuotaRoutes(app: App, dependencies: RouteDependencies, { verifySupabase, authenticateKey }: Checks): void {
  const { store, wakeEnforcer } = dependencies
  const { findMember, loadPosition, setQuota } = store
  const access = { verifySupabase, authenticateKey, findMember }
  getQuota(app, { access, loadPosition })
  putQuota(app, { access, loadPosition, setQuota, wakeEnforcer })
}

function addKeyRoutes(app: App, dependencies: RouteDependencies, { verifySupabase, authenticateKey }: Checks): void {
  const { store, newId, serviceKeys } = dependencies
  const access = { verifySupabase, authenticateKey, findMember: store.findMember }
  getKeys(app, { access, store })
  postKeys(app, { access, store, newId })
  postKeyRotation(app, { access, store, newId, announce: serviceKeys.announce })
  deleteKey(app, { access, store, announce: serviceKeys.announce })
  getAudit(app, { access, store })
}
