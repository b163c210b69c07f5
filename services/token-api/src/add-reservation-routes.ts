import type { AuthenticateServiceKey } from './ingest/authenticate-service-key.ts'
import type { Meters } from './meters.ts'
import type { Positions } from './quota/open-positions.ts'
import type { HoldOptions } from './reservations/hold.ts'
import type { Holds } from './reservations/open-holds.ts'
import { postReservationCommit } from './routes/post-reservation-commit.ts'
import { postReservationRelease } from './routes/post-reservation-release.ts'
import { postReservations } from './routes/post-reservations.ts'
import type { App } from './routes/typed-app.ts'

/** What the routes of holds stand on. */
export interface ReservationDependencies {
  readonly holds: Holds
  readonly authenticateKey: AuthenticateServiceKey
  readonly reserving: HoldOptions
  readonly positions: Pick<Positions, 'show' | 'mark'>
  readonly meters: Pick<Meters, 'accepted'>
  readonly now: () => number
}

/** Adds the three routes of holds. */
export function addReservationRoutes(app: App, dependencies: ReservationDependencies): void {
  const { holds, reserving, authenticateKey, positions, meters, now } = dependencies
  postReservations(app, { ...reserving, authenticateKey })
  const onAccepted = () => meters.accepted.inc({ path: 'reservation' })
  postReservationCommit(app, { authenticateKey, commit: holds.commit, showPosition: positions.show, onAccepted, now })
  postReservationRelease(app, { authenticateKey, release: holds.release, positions })
}
