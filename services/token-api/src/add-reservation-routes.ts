import type { GatedClaims, GateVerdict } from './gate/gate.ts'
import type { AuthenticateServiceKey } from './ingest/authenticate-service-key.ts'
import type { CheckMembership } from './ingest/check-membership.ts'
import type { Meters } from './meters.ts'
import type { Positions } from './quota/open-positions.ts'
import type { Holds } from './reservations/open-holds.ts'
import { postReservationCommit } from './routes/post-reservation-commit.ts'
import { postReservationRelease } from './routes/post-reservation-release.ts'
import { postReservations } from './routes/post-reservations.ts'
import type { App } from './routes/typed-app.ts'

/** What the routes of holds stand on. */
export interface ReservationDependencies {
  readonly holds: Holds
  readonly authenticateKey: AuthenticateServiceKey
  readonly checkMembership: CheckMembership
  readonly judge: (claims: GatedClaims) => GateVerdict
  readonly positions: Pick<Positions, 'show' | 'learn' | 'mark'>
  readonly meters: Pick<Meters, 'accepted' | 'reservations' | 'reservationSeconds'>
  readonly now: () => number
  readonly newId: () => string
}

/** Adds the three routes of holds. */
export function addReservationRoutes(app: App, dependencies: ReservationDependencies): void {
  const { holds, authenticateKey, checkMembership, positions, meters, now, newId } = dependencies
  postReservations(app, {
    authenticateKey,
    checkMembership,
    judge: dependencies.judge,
    reserve: (request) => {
      const stop = meters.reservationSeconds.startTimer()
      return holds.reserve(request).finally(stop)
    },
    showPosition: positions.show,
    onPosition: positions.learn,
    onOutcome: (outcome) => meters.reservations.inc({ outcome }),
    now,
    newId,
  })
  const onAccepted = () => meters.accepted.inc({ path: 'reservation' })
  postReservationCommit(app, { authenticateKey, commit: holds.commit, showPosition: positions.show, onAccepted, now })
  postReservationRelease(app, { authenticateKey, release: holds.release, positions })
}
