import type { RpcStore } from '@tollgate/shared/store'
import type { Audit } from '../audit/audit.ts'
import { inBatches, makeEvents, toRow, type UsageRow } from '../load/make-events.ts'
import type { Member } from '../load/population.ts'
import { type Contender, time } from './contender.ts'
import type { InsertShape } from './insert-shape.ts'

/** What calling through the store needs. */
export interface CallRpcOptions {
  readonly name: string
  readonly store: RpcStore
  readonly members: readonly Member[]
  readonly audit: Audit
}

/** `ingest_usage` called as the usage worker calls it, over one of the store's transports. */
export function createCallRpc(
  { name, store, members, audit }: CallRpcOptions,
  { batchSize, connections }: InsertShape,
): Contender {
  return {
    name: `ingest_usage over ${name}, ${connections} × ${batchSize}`,
    firstCount: batchSize * connections,
    run: async (count) => {
      const batches = inBatches(makeEvents(members, count).map(toRow), batchSize)
      for (const batch of batches) audit.note(batch)
      const { seconds } = await time(() => callAll(store, batches, connections))
      await audit.requireExact()
      return { count, seconds, answerTimesMs: [], cpuUs: {} }
    },
    close: store.close,
  }
}

async function callAll({ rpc }: RpcStore, batches: readonly UsageRow[][], connections: number): Promise<void> {
  let next = 0
  const caller = async () => {
    for (let events = batches[next++]; events !== undefined; events = batches[next++]) {
      await rpc('ingest_usage', { batch: { events } })
    }
  }
  await Promise.all(Array.from({ length: connections }, caller))
}
