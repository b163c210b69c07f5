import { type EnforcementControl, enforcement, enforcementControl } from '@tollgate/shared/contracts'
import type { Rpc, RpcRow } from '@tollgate/shared/store'
import type { Redis } from 'ioredis'
import { z } from 'zod'
import type { EnforcementCopy, GateState } from './enforcement-copy.ts'

/** Redis hash and pub/sub channel of the organizations' enforcement; the quota-enforcer writes both. */
export const enforcementKey = (namespace: string): string => `${namespace}:enforcement`

/** The gate does not look at what a downgrade leaves; a row with a bad one must not stop the others from being read. */
export const gateState = enforcement.omit({ reduced_config: true })
const published = z.union([enforcementControl, gateState])

/** Takes over everything that Postgres says. @throws StoreError */
export async function loadFromPostgres(rpc: Rpc, copy: EnforcementCopy): Promise<void> {
  const [[control], rows] = await Promise.all([rpc('load_enforcement_control', {}), rpc('list_enforcement', {})])
  if (control === undefined) throw new TypeError('load_enforcement_control gave no row')
  const numbers = { epoch: Number(control.epoch), version_floor: Number(control.version_floor) }
  copy.apply(enforcementControl.parse({ ...control, ...numbers, control: true }))
  for (const row of rows) copy.apply(readState(row))
}

/** What a gate knows of an organization or a user, from its row. @throws ZodError */
export function readState(row: RpcRow<'list_enforcement'>): GateState {
  return gateState.parse({ ...row, version: Number(row.version), epoch: Number(row.epoch) })
}

/**
 * Takes over the read copy in Redis, for the time that Postgres is away.
 * @throws Error when it is empty: a Redis that was wiped knows nothing, which is not the same as nobody revoked
 */
export async function loadFromRedis(redis: Redis, namespace: string, copy: EnforcementCopy): Promise<void> {
  const entries = Object.values(await redis.hgetall(enforcementKey(namespace)))
  if (entries.length === 0) throw new Error(`the hash ${enforcementKey(namespace)} is empty`)
  for (const entry of entries) copy.apply(parseEnforcement(entry))
}

/** Reads one message or hash field. @throws SyntaxError, ZodError */
export function parseEnforcement(json: string): GateState | EnforcementControl {
  return published.parse(JSON.parse(json))
}
