import type { AuthenticateServiceKey } from './ingest/authenticate-service-key.ts'
import type { CheckMembership } from './ingest/check-membership.ts'
import type { Meters } from './meters.ts'
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
  readonly meters: Pick<Meters, 'accepted' | 'reservations' | 'reservationSeconds'>
  readonly now: () => number
  readonly newId: () => string
}

/** Adds the three routes of holds. */
export function addReservationRoutes(app: App, dependencies: ReservationDependencies): void {
  const { holds, authenticateKey, checkMembership, meters, now, newId } = dependencies
  postReservations(app, {
    authenticateKey,
    checkMembership,
    reserve: (request) => {
      const stop = meters.reservationSeconds.startTimer()
      return holds.reserve(request).finally(stop)
    },
    onOutcome: (outcome) => meters.reservations.inc({ outcome }),
    now,
    newId,
  })
  const onAccepted = () => meters.accepted.inc({ path: 'reservation' })
  postReservationCommit(app, { authenticateKey, commit: holds.commit, onAccepted, now })
  postReservationRelease(app, { authenticateKey, release: holds.release })
}
