import type { Rpc } from '@tollgate/shared/store'
import { type Publish, toEnforcement } from './publish.ts'

/** Publishes every state that Redis lacks or has an older copy of; gives how many. Rejects while either is away. */
export async function rebuildRedis(rpc: Rpc, publish: Publish): Promise<number> {
  const rows = await rpc('list_enforcement', {})
  return publish(rows.map(toEnforcement))
}
