import type { RefusalReason } from '@tollgate/shared/contracts'
import type { Store } from '../bind-store.ts'
import type { Config } from '../config.ts'
import type { CheckAccessToken } from '../gate/check-access-token.ts'
import type { GatedClaims, GateVerdict } from '../gate/gate.ts'
import type { Meters } from '../meters.ts'
import type { Positions } from '../quota/open-positions.ts'
import { getForwardAuth } from '../routes/get-forward-auth.ts'
import type { App } from '../routes/typed-app.ts'
import { useHandoffRoutes } from '../routes/use-handoff.ts'
import type { Sessions } from '../sessions/open-sessions.ts'
import type { TokenKeys } from '../tokens/keys.ts'
import type { VerifyAccessToken } from '../tokens/verify-access-token.ts'
import { createHandoffVerifier } from '../tokens/verify-handoff.ts'
import { alsoTakeAccessTokens } from '../tokens/verify-url-token.ts'
import { createVisitorCheck } from './check-visitor.ts'
import { rememberSessions, type SessionMemory } from './remember-sessions.ts'
import { useHandoff } from './use-handoff.ts'

/** What the routes stand on. */
export interface ProxyDependencies {
  readonly config: Pick<
    Config,
    'LIBRECHAT_URL' | 'URL_TOKEN' | 'JWT_ACCESS_TOKEN_EXPIRY' | 'CHAT_EMBEDDING' | 'SUPPORT_CONTACT' | 'CORS_ORIGINS'
  >
  readonly keys: Pick<TokenKeys, 'handoff' | 'proxySession' | 'previous'>
  readonly store: Pick<Store, 'findProxySession' | 'openProxySession'>
  readonly sessions: Pick<Sessions, 'revoke'>
  readonly positions: Pick<Positions, 'show'>
  readonly memory: SessionMemory
  readonly judge: (claims: GatedClaims) => GateVerdict
  /** Access tokens by themselves, and at the gate. */
  readonly verifyAccess: VerifyAccessToken
  readonly check: CheckAccessToken
  readonly meters: Pick<Meters, 'sessionLookups' | 'refusals' | 'handoffs'>
  readonly now: () => number
  readonly newId: () => string
}

/** Opens the memory of sessions at the proxy. */
export function openSessionMemory({
  keys,
  store,
  meters,
  now,
}: Pick<ProxyDependencies, 'keys' | 'store' | 'meters' | 'now'>): SessionMemory {
  const findSession = async (sha256: string) => {
    meters.sessionLookups.inc()
    return store.findProxySession(sha256)
  }
  return rememberSessions({ keys: [keys.proxySession, ...keys.previous.proxySessions], findSession, now })
}

/** Adds what the proxy in front of LibreChat asks. */
export function addProxyRoutes(app: App, dependencies: ProxyDependencies): void {
  const { config, keys, store, sessions, memory, judge, verifyAccess, check, meters, now, newId } = dependencies
  const onRefusal = (reason: RefusalReason) => meters.refusals.inc({ reason })
  const checkVisitor = createVisitorCheck({ sessions: memory, judge, check, onRefusal })
  const verifyHandoff = createHandoffVerifier([keys.handoff, ...keys.previous.handoffs], now)
  const handoffs = {
    verifyUrlToken:
      config.URL_TOKEN === 'access' ? alsoTakeAccessTokens(verifyHandoff, verifyAccess, newId) : verifyHandoff,
    checkVisitor,
    findSession: memory.find,
    judge,
    openSession: store.openProxySession,
    endLogin: async (loginSessionId: string) => {
      memory.forget(loginSessionId)
      await sessions.revoke({ session_id: loginSessionId, actor: 'tollgate/token-api', reason: 'handoff_replayed' })
    },
    sessionKey: keys.proxySession,
    sessionSeconds: config.JWT_ACCESS_TOKEN_EXPIRY,
    now,
  }
  getForwardAuth(app, { checkVisitor, showPosition: dependencies.positions.show, contact: config.SUPPORT_CONTACT })
  useHandoffRoutes(app, {
    useHandoff: (traveller) => useHandoff(traveller, handoffs),
    onOutcome: (outcome) => meters.handoffs.inc({ outcome }),
    libreChatUrl: config.LIBRECHAT_URL,
    embedding: config.CHAT_EMBEDDING,
    contact: config.SUPPORT_CONTACT,
    origins: config.CORS_ORIGINS,
  })
}
