import type { AuthenticateServiceKey, ServiceKey } from './ingest/authenticate-service-key.ts'
import type { Meters } from './meters.ts'
import type { Positions } from './quota/open-positions.ts'
import { authorizeHolds } from './reservations/authorize-holds.ts'
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

/** Adds the three routes of holds. Bodies are read only for a key that may hold; the routes find it as `serviceKey`. */
export function addReservationRoutes(app: App, dependencies: ReservationDependencies): void {
  const { holds, reserving, authenticateKey, positions, meters, now } = dependencies
  const onAccepted = () => meters.accepted.inc({ path: 'reservation' })
  app.register(async (scope: App) => {
    scope.decorateRequest('serviceKey', null)
    scope.addHook('onRequest', async (request) => {
      const key = await authorizeHolds(request.headers.authorization, authenticateKey)
      request.setDecorator<ServiceKey | null>('serviceKey', key)
    })
    postReservations(scope, reserving)
    postReservationCommit(scope, { commit: holds.commit, showPosition: positions.show, onAccepted, now })
    postReservationRelease(scope, { release: holds.release, positions })
  })
}
