import type { RpcArgs, RpcRow } from '@tollgate/shared/store'
import type { Store } from '../bind-store.ts'
import { groupByOrganization } from './group-by-organization.ts'

type HoldRequest = RpcArgs<'reserve_tokens'>['batch']['requests'][number]
type HoldCommit = RpcArgs<'commit_reservations'>['batch']['commits'][number]
type HoldRelease = RpcArgs<'release_reservations'>['batch']['releases'][number]

/** A commit with the organization that its event names. */
export type NamedCommit = HoldCommit & { readonly event: { readonly organization_id: string } }

/** Holds of LLM tokens; the truth about them is in Postgres. All throw StoreError while it is away. */
export interface Holds {
  reserve(request: HoldRequest): Promise<RpcRow<'reserve_tokens'>>
  commit(commit: NamedCommit): Promise<RpcRow<'commit_reservations'>>
  release(release: HoldRelease): Promise<RpcRow<'release_reservations'>>
  drain(): Promise<void>
}

/** Opens the three group commits; `observe`: nobody is refused for a limit or a state. */
export function openHolds(
  store: Pick<Store, 'reserve' | 'commitHolds' | 'releaseHolds'>,
  { observe }: { readonly observe: boolean },
): Holds {
  const reserving = groupByOrganization<HoldRequest, RpcRow<'reserve_tokens'>>({
    keyOf: (request) => request.organization_id,
    call: (requests) => store.reserve({ requests, observe }),
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
