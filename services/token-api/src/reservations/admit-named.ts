import type { AcceptedEvent } from '@tollgate/shared/contracts'
import { isRetryableStoreError } from '@tollgate/shared/store'
import type { Admission, Receipt } from '../ingest/admit-events.ts'
import type { Holds } from './open-holds.ts'

/** What admission of events that name holds stands on. */
export interface NamedAdmissionOptions {
  readonly admit: Admission['admit']
  readonly secure: Admission['secure']
  readonly commit: Holds['commit']
  readonly onAccepted: (events: number) => void
}

type How = Parameters<Admission['admit']>[1]
type Place = readonly [position: number, event: AcceptedEvent]

/**
 * Takes events in: those that name a hold into Postgres, in one transaction with the end of its lease, the others as
 * always. While Postgres is away they all go the usual way: accepted, but a hold may then run out before its usage is
 * recorded, and is counted as a late settlement. A request that waits sends all of them through the queue, which alone
 * tells what became of them: the commit that it waits for ends the hold. What it waited for in vain is put into Postgres
 * before it is answered 202.
 */
export function createNamedAdmission(options: NamedAdmissionOptions): Pick<Admission, 'admit' | 'secure'> {
  return {
    admit: async (events, how) => {
      const isUsual = how?.waits === true || events.every((event) => reservationOf(event) === undefined)
      return isUsual ? options.admit(events, how) : admitApart(events, options, how)
    },
    secure: async (events, receipts) => {
      await options.secure(events, receipts)
      const named = events.filter((event) => reservationOf(event) !== undefined)
      await Promise.all(named.map((event) => commitOne(event, options))).catch((error: unknown) => {
        if (!isRetryableStoreError(error)) throw error // on disk they are already
      })
    },
  }
}

async function admitApart(
  events: readonly AcceptedEvent[],
  options: NamedAdmissionOptions,
  how: How,
): Promise<Receipt[]> {
  const isNamed = ([, event]: Place): boolean => reservationOf(event) !== undefined
  const places = [...events.entries()]
  const plain = places.filter((place) => !isNamed(place))
  const stored = [admitSome(plain, options, how), parkNamed(places.filter(isNamed), options, how)]
  return (await Promise.all(stored)).flat()
}

const commitOne = (event: AcceptedEvent, { commit }: NamedAdmissionOptions) =>
  commit({ reservation_id: reservationOf(event) ?? '', strict: false, organization_id: null, event })

function reservationOf(event: AcceptedEvent): string | undefined {
  return event.type === 'usage.recorded' ? event.reservation_id : undefined
}

async function admitSome(places: readonly Place[], { admit }: NamedAdmissionOptions, how: How): Promise<Receipt[]> {
  if (places.length === 0) return []
  const receipts = await admit(
    places.map(([, event]) => event),
    how,
  )
  return receipts.map((receipt) => ({
    ...receipt,
    positions: receipt.positions.map((place) => places[place]?.[0] ?? place),
  }))
}

async function parkNamed(places: readonly Place[], options: NamedAdmissionOptions, how: How): Promise<Receipt[]> {
  try {
    await Promise.all(places.map(([, event]) => commitOne(event, options)))
    options.onAccepted(places.length)
    return [{ path: 'inbox', positions: places.map(([position]) => position) }]
  } catch (error) {
    if (!isRetryableStoreError(error)) throw error
    // Some may be in Postgres already: an event counts once.
    return admitSome(places, options, how)
  }
}
