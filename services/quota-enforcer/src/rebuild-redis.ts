import { enforcement, enforcementControl, enforcementSeen, enforcementSeenKey } from '@tollgate/shared/contracts'
import type { Rpc, RpcRow } from '@tollgate/shared/store'
import type { Redis } from 'ioredis'
import { z } from 'zod'
import { enforcementKey, type Publish, toControl, toEnforcement } from './publish.ts'

/** What a rebuild needs. */
export interface RebuildDependencies {
  readonly rpc: Rpc
  readonly publish: Publish
  readonly redis: Pick<Redis, 'hvals' | 'hgetall'>
  readonly namespace: string
  /** Told when Postgres turned out to be older than what was published. */
  readonly onEpoch: (epoch: string) => void
}

/** Publishes every state that Redis lacks or has an older copy of; gives how many. Rejects while either is away. */
export async function rebuildRedis(dependencies: RebuildDependencies): Promise<number> {
  const { rpc, publish, redis, namespace } = dependencies
  // Redis first: what is published between the two reads would look like a Postgres that fell behind.
  const copies = await redis.hvals(enforcementKey(namespace))
  // What gates remember outlives a Redis that was emptied.
  copies.push(JSON.stringify(await redis.hgetall(enforcementSeenKey(namespace))))
  const control = await readControl(rpc)
  if (await isBehind(dependencies, control, copies)) return rebuildRedis(dependencies)
  const rows = await rpc('list_enforcement', {})
  return publish([toControl(control), ...rows.map(toEnforcement)])
}

async function readControl(rpc: Rpc): Promise<RpcRow<'load_enforcement_control'>> {
  const [control] = await rpc('load_enforcement_control', {})
  if (control === undefined) throw new TypeError('load_enforcement_control gave no row')
  return control
}

const copied = z
  .union([enforcementControl, enforcement, enforcementSeen.extend({ epoch: z.coerce.number().int().positive() })])
  .transform(({ epoch, revision }) => ({ epoch: epoch ?? 1, revision }))

/**
 * Whether Redis has seen more than Postgres ever gave out, as after a restore to an earlier point. Then a new epoch has
 * begun, by us or another enforcer: what was seen in vain is overtaken.
 */
async function isBehind(
  { rpc, onEpoch }: RebuildDependencies,
  control: RpcRow<'load_enforcement_control'>,
  copies: readonly string[],
): Promise<boolean> {
  const entries = copies.flatMap((text) => {
    const parsed = copied.safeParse(parseJson(text))
    return parsed.success ? [parsed.data] : []
  })
  const epoch = Number(control.epoch)
  const ahead = entries.filter(
    (entry) => entry.epoch > epoch || (entry.epoch === epoch && BigInt(entry.revision) > BigInt(control.last_revision)),
  )
  if (ahead.length === 0) return false
  const [begun] = await rpc('begin_epoch', {
    seen: {
      epoch: control.epoch,
      seen_epoch: String(Math.max(...ahead.map((entry) => entry.epoch))),
      seen_revision: highestOf(ahead.map((entry) => BigInt(entry.revision))).toString(),
      actor: 'quota-enforcer',
      reason: 'postgres_is_older_than_what_was_published',
    },
  })
  if (begun?.begun) onEpoch(begun.epoch)
  return true
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

// Beyond what Math.max can tell apart.
function highestOf(revisions: readonly bigint[]): bigint {
  return revisions.toSorted((one, other) => (one < other ? -1 : 1)).at(-1) ?? 0n
}
