import type { PositionRow, RpcArgs, RpcRow } from '@tollgate/shared/store'
import type { Store } from '../bind-store.ts'
import { groupByOrganization } from './group-by-organization.ts'
import { type HoldResult, sharePositions } from './share-positions.ts'

type HoldRequest = RpcArgs<'reserve_tokens'>['batch']['requests'][number]
type HoldCommit = RpcArgs<'commit_reservations'>['batch']['commits'][number]
type HoldRelease = RpcArgs<'release_reservations'>['batch']['releases'][number]

/** A commit with the organization that its event names. */
export type NamedCommit = HoldCommit & { readonly event: { readonly organization_id: string } }

/** Holds of LLM tokens; the truth about them is in Postgres. All throw StoreError while it is away. */
export interface Holds {
  reserve(request: HoldRequest): Promise<HoldResult>
  commit(commit: NamedCommit): Promise<RpcRow<'commit_reservations'>>
  release(release: HoldRelease): Promise<RpcRow<'release_reservations'>>
  drain(): Promise<void>
}

/** What holds stand on. */
export interface HoldsOptions {
  /** Nobody is refused for a limit or a state. */
  readonly observe: boolean
  /** Told where each organization of a call stands after it, before anybody is answered. */
  readonly onPosition: (position: PositionRow) => void
}

/** Opens the three group commits. */
export function openHolds(
  store: Pick<Store, 'reserve' | 'commitHolds' | 'releaseHolds'>,
  { observe, onPosition }: HoldsOptions,
): Holds {
  const reserving = groupByOrganization<HoldRequest, HoldResult>({
    keyOf: (request) => request.organization_id,
    call: async (requests) => sharePositions(await store.reserve({ requests, observe }), onPosition),
  })
  const committing = groupByOrganization<NamedCommit, RpcRow<'commit_reservations'>>({
    keyOf: ({ event }) => event.organization_id,
    call: store.commitHolds,
  })
  // Only Postgres knows whose hold it is.
  const releasing = groupByOrganization({ keyOf: (release) => release.id, call: store.releaseHolds })
  return {
    reserve: reserving.submit,
    commit: committing.submit,
    release: releasing.submit,
    drain: async () => {
      await Promise.all([reserving.drain(), committing.drain(), releasing.drain()])
    },
  }
}
