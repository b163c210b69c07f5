import type { StartContext } from '@tollgate/shared/lifecycle'
import type { Metrics } from '@tollgate/shared/metrics'
import { createGroupCommit, type Producer } from '@tollgate/shared/queues'
import type { RpcRow } from '@tollgate/shared/store'
import type { Store } from '../bind-store.ts'
import type { Announcer } from '../gate/announce-revocations.ts'
import type { LoginStart } from '../tokens/start-login.ts'
import { createRevoke, type Revoke } from './end-logins.ts'
import { startRelay } from './relay-session-events.ts'
import { keepLoginsSwept } from './sweep-logins.ts'

/** Login sessions: their start and end, and what goes on behind. */
export interface Sessions {
  /** Undefined for a user who is unknown or belongs to no organization. @throws StoreError */
  start(login: LoginStart): Promise<RpcRow<'start_logins'> | undefined>
  readonly revoke: Revoke
  readonly announce: Announcer['announce']
  /** Something may be in the outbox. */
  poke(): void
}

/** What the sessions stand on. */
export interface SessionsOptions extends StartContext {
  readonly store: Store
  readonly announce: Announcer['announce']
  readonly producer: Pick<Producer<'usage-events'>, 'add'>
  readonly metrics: Metrics
  readonly shards: number
  readonly now: () => number
  readonly onError: (error: unknown) => void
}

const MAX_BATCH = 200
const MAX_WAITING = 5_000

/** Opens them: logins are started in groups, and two loops relay their events and end what is over. */
export function openSessions(options: SessionsOptions): Sessions {
  const { store, announce, stopping, phases, onError } = options
  const meters = defineSessionMeters(options.metrics)
  const relay = startRelay({
    ...options,
    take: store.takeSessionEvents,
    forget: store.forgetSessionEvents,
    bury: store.burySessionEvents,
    onBuried: (events) => meters.buried.inc(events),
    onRelayed: (seconds) => meters.outbox.observe(seconds),
  })
  const swept = keepLoginsSwept({
    sweep: store.sweepLogins,
    announce,
    stopping,
    onSwept: ({ expired, strayed }) => {
      meters.ended.inc({ why: 'expired' }, expired)
      meters.ended.inc({ why: 'strayed' }, strayed)
      if (expired + strayed > 0) relay.poke()
    },
    onError,
  })
  const starting = createGroupCommit<LoginStart, RpcRow<'start_logins'> | undefined>({
    maxItems: MAX_BATCH,
    // One at a time is committed at once; only what comes while two are under way waits, and goes together.
    maxDelayMs: 0,
    maxInFlight: 2,
    maxWaiting: MAX_WAITING,
    flush: async (logins) => {
      const rows = new Map((await store.startLogins(logins)).map((row) => [row.session_id, row]))
      relay.poke()
      return logins.map(({ session_id }) => rows.get(session_id))
    },
  })
  const revoke = createRevoke({
    ...store,
    announce,
    onEnded: (sessions) => {
      meters.ended.inc({ why: 'revoked' }, sessions)
      relay.poke()
    },
  })
  phases.add('drain', 'login sessions', 2_000, async () => {
    await starting.drain()
    await Promise.all([relay.done, swept])
  })
  return { start: starting.submit, revoke, announce, poke: relay.poke }
}

function defineSessionMeters(metrics: Metrics) {
  return {
    ended: metrics.counter('tollgate_login_sessions_ended_total', 'Login sessions ended, by why', ['why']),
    buried: metrics.counter('tollgate_session_events_buried_total', 'Login-session events set aside as not readable'),
    outbox: metrics.histogram('tollgate_session_outbox_seconds', 'Time until a login-session event was in the queue', {
      buckets: [0.01, 0.05, 0.1, 0.5, 1, 5, 30, 300, 3_600],
    }),
  }
}
