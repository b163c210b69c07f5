import { createSecretBox } from '@tollgate/shared/webhooks'
import { requireOpenSession } from './access/require-open-session.ts'
import { addLoginRoutes } from './add-login-routes.ts'
import { addQuotaRoutes } from './add-quota-routes.ts'
import { addReservationRoutes } from './add-reservation-routes.ts'
import { addSessionRoutes } from './add-session-routes.ts'
import { createAccessCheck } from './gate/check-access-token.ts'
import { createMembershipCheck } from './ingest/check-membership.ts'
import { createStoreCheck } from './ingest/require-store.ts'
import type { ActOf } from './manners/act.ts'
import { answerOnce } from './manners/answer-once.ts'
import type { ProvedCallers } from './manners/prove-callers.ts'
import { createAnswerSeal } from './manners/seal-answer.ts'
import { type Metering, openMetering } from './metering.ts'
import { addProxyRoutes, openSessionMemory } from './proxy/add-proxy-routes.ts'
import type { SessionMemory } from './proxy/remember-sessions.ts'
import type { Checks, RouteDependencies } from './route-dependencies.ts'
import { deleteKey } from './routes/delete-key.ts'
import { getAudit } from './routes/get-audit.ts'
import { getChatSessions } from './routes/get-chat-sessions.ts'
import { getKeys } from './routes/get-keys.ts'
import { getUsage } from './routes/get-usage.ts'
import { getVerify } from './routes/get-verify.ts'
import { manageWebhooks, webhookDeliveries } from './routes/manage-webhooks.ts'
import { postEvents } from './routes/post-events.ts'
import { postKeyRotation } from './routes/post-key-rotation.ts'
import { postKeys } from './routes/post-keys.ts'
import { postWebhooks } from './routes/post-webhooks.ts'
import type { App } from './routes/typed-app.ts'
import { type AccessTokenVerifier, openAccessTokenVerifier } from './tokens/verify-access-token.ts'
import { createSupabaseTokenVerifier } from './tokens/verify-supabase-token.ts'
import { createMakeSecret } from './webhooks/make-secret.ts'

/** Adds the routes, each with what it needs and no more. */
export function addRoutes(
  app: App,
  dependencies: RouteDependencies,
  { checks: plain, memory, metering }: Memories,
  callers: ProvedCallers,
): void {
  // A scope of their own: the hooks that writes need would cost these as much as their answer does. What is asked at
  // each request of somebody else's is not limited, and need not note who asked.
  app.register(async (scope: App) => {
    getVerify(scope, plain.check, dependencies.positions.show)
    addProxyRoutes(scope, { ...dependencies, memory, check: plain.check, verifyAccess: plain.verify })
  })
  app.register(async (scope: App) => {
    const { config, store, newId, now } = dependencies
    const watched = callers.watch(plain)
    // A login looks after the session by itself, in the transaction that starts it.
    const verifySupabase = requireOpenSession({ verify: watched.verifySupabase, isSignedOut: store.isSignedOut, now })
    const checks = { ...watched, verifySupabase }
    const access = { ...checks, findMember: store.findMember }
    const seal = createAnswerSeal(config.LIBRECHAT_JWT_SECRET, config.JWT_PREVIOUS_SECRETS)
    const acting = { ...dependencies, actOf: answerOnce(scope, { access, store, newId, seal }) }
    addLoginRoutes(scope, acting, watched)
    addSessionRoutes(scope, dependencies, checks)
    addEventRoutes(scope, dependencies, checks, metering)
    addQuotaRoutes(scope, acting, checks)
    addKeyRoutes(scope, acting, checks)
    addWebhookRoutes(scope, acting, checks)
    addReportRoutes(scope, dependencies, checks)
    addReservationRoutes(scope, { ...dependencies, ...checks, reserving: metering.holds })
  })
}

/** What the routes share, and what of it answers by itself. */
export interface Memories {
  readonly checks: Checks
  readonly recognise: AccessTokenVerifier['recognise']
  readonly memory: SessionMemory
  readonly metering: Metering
}

/** Opens the memories of tokens and sessions, and the checks over them. */
export function openMemories(dependencies: RouteDependencies): Memories {
  const { config, keys, serviceKeys, store, judge, meters, now } = dependencies
  const { verify, recognise } = openAccessTokenVerifier(keys.access, now)
  const checks = {
    verify,
    verifySupabase: createSupabaseTokenVerifier(supabaseTokens(config, now)),
    authenticateKey: serviceKeys.authenticate,
    check: createAccessCheck({
      verify,
      judge,
      onRefusal: (reason) => meters.refusals.inc({ reason }),
    }),
    checkMembership: createMembershipCheck({ ...store, now }),
  }
  return { checks, recognise, memory: openSessionMemory(dependencies), metering: openMetering(dependencies, checks) }
}

function supabaseTokens(config: RouteDependencies['config'], now: () => number) {
  const authUrl = `${config.SUPABASE_URL.replace(/\/+$/, '')}/auth/v1`
  const keys = {
    jwtSecret: config.SUPABASE_JWT_SECRET,
    jwksUrl: `${authUrl}/.well-known/jwks.json`,
    apiKey: config.SUPABASE_PUBLISHABLE_KEY,
  }
  return { issuer: config.SUPABASE_JWT_ISSUER ?? authUrl, keys, now }
}

function addEventRoutes(app: App, dependencies: RouteDependencies, checks: Checks, { events }: Metering): void {
  const { store, waitForResult, monotonicNow } = dependencies
  const { authenticateKey, check } = checks
  const requireStore = createStoreCheck({ ping: store.ping, monotonicNow })
  postEvents(app, { ...events, authenticateKey, check, requireStore, waitForResult })
}

function addReportRoutes(app: App, { store }: RouteDependencies, { verifySupabase, authenticateKey }: Checks): void {
  const access = { verifySupabase, authenticateKey, findMember: store.findMember }
  getUsage(app, { access, store })
  getChatSessions(app, { access, store })
}

/** What is known of a request that may be one made again. */
interface Acting extends RouteDependencies {
  readonly actOf: ActOf
}

function addKeyRoutes(app: App, dependencies: Acting, { verifySupabase, authenticateKey }: Checks): void {
  const { store, actOf, serviceKeys } = dependencies
  const access = { verifySupabase, authenticateKey, findMember: store.findMember }
  getKeys(app, { access, store })
  postKeys(app, { access, store, actOf })
  postKeyRotation(app, { access, store, actOf, announce: serviceKeys.announce })
  deleteKey(app, { access, store, announce: serviceKeys.announce })
  getAudit(app, { access, store })
}

function addWebhookRoutes(app: App, { config, store, actOf }: Acting, checks: Checks): void {
  const { verifySupabase, authenticateKey } = checks
  const access = { verifySupabase, authenticateKey, findMember: store.findMember }
  const makeSecret = createMakeSecret(createSecretBox(config.WEBHOOK_SECRET_KEYS))
  postWebhooks(app, { access, store, actOf, makeSecret, allowPrivate: config.WEBHOOKS_ALLOW_PRIVATE })
  manageWebhooks(app, { access, store, actOf, makeSecret })
  webhookDeliveries(app, { access, store })
}
