import type { TakePostOptions } from './ingest/take-post.ts'
import { createNamedAdmission } from './reservations/admit-named.ts'
import type { HoldOptions } from './reservations/hold.ts'
import type { Checks, RouteDependencies } from './route-dependencies.ts'
import type { PostEvents } from './routes/post-events.ts'

/** What servers do at each model call, whichever way their requests take. */
export interface Metering {
  readonly events: TakePostOptions & Pick<PostEvents, 'secure'>
  readonly holds: HoldOptions
}

/** Puts it together, with what is measured of it. */
export function openMetering(
  dependencies: RouteDependencies,
  { checkMembership }: Pick<Checks, 'checkMembership'>,
): Metering {
  const { holds, judge, positions, meters, now, newId } = dependencies
  return {
    events: {
      checkMembership,
      ...openAdmission(dependencies),
      onRejected: (reason) => meters.rejected.inc({ reason }),
      showPosition: positions.show,
      now,
    },
    holds: {
      checkMembership,
      judge,
      reserve: (request) => {
        const stop = meters.reservationSeconds.startTimer()
        return holds.reserve(request).finally(stop)
      },
      showPosition: positions.show,
      onOutcome: (outcome) => meters.reservations.inc({ outcome }),
      now,
      newId,
    },
  }
}

function openAdmission({
  admit,
  secure,
  holds,
  enter,
  meters,
}: RouteDependencies): Pick<Metering['events'], 'admit' | 'secure'> {
  const named = createNamedAdmission({
    admit,
    secure,
    commit: holds.commit,
    onAccepted: (events) => meters.accepted.inc({ path: 'reservation' }, events),
  })
  return {
    secure: named.secure,
    admit: async (events, how) => {
      const settle = enter(events.length)
      const stop = meters.admission.startTimer()
      return settleAfter(named.admit(events, how), settle, stop)
    },
  }
}

// Apart from the above, so that the events are not kept until they are on disk.
async function settleAfter<Result>(
  storing: Promise<Result>,
  settle: (isStored: boolean) => void,
  stop: () => unknown,
): Promise<Result> {
  try {
    const result = await storing
    settle(true)
    return result
  } catch (error) {
    settle(false)
    throw error
  } finally {
    stop()
  }
}
