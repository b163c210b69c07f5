import {
  CONTROL_FIELD,
  enforcement,
  enforcementField,
  positionsKey,
  publishedPosition,
} from '@tollgate/shared/contracts'
import type { Rpc } from '@tollgate/shared/store'
import type { Redis } from 'ioredis'
import type { Finding } from './finding.ts'

const NAMESPACE = 'tollgate'
const MANY = 10_000

/** What Redis shows of enforcement states and positions is what Postgres says. */
export async function compareCopies(rpc: Rpc, redis: Redis): Promise<Finding> {
  const faults: string[] = []
  const states = await rpc('list_enforcement', {})
  const copies = await redis.hgetall(`${NAMESPACE}:enforcement`)
  delete copies[CONTROL_FIELD]
  for (const row of states) {
    const field = enforcementField(row)
    const copy = copies[field]
    const says = copy === undefined ? 'nothing' : textOf(enforcement.parse(JSON.parse(copy)))
    if (says !== textOf(row)) faults.push(`Redis says ${says} of ${field}, Postgres ${textOf(row)}`)
    delete copies[field]
  }
  faults.push(...Object.keys(copies).map((field) => `Redis has a state of ${field}, Postgres has none`))
  const positions = await rpc('list_positions', { query: { after: null, max_rows: MANY } })
  const shown = await redis.hgetall(positionsKey(NAMESPACE))
  for (const row of positions) {
    const copy = shown[row.organization_id]
    // One that nobody asked for since Redis began is not there, which is no lie.
    if (copy === undefined) continue
    const { used_tokens, reserved_tokens, limit_tokens } = publishedPosition.parse(JSON.parse(copy))
    const [says, wanted] = [
      [used_tokens, reserved_tokens, limit_tokens].join(' '),
      [row.used_tokens, row.reserved_tokens, row.limit_tokens].join(' '),
    ]
    if (says !== wanted)
      faults.push(`Redis shows ${says} (used, held, limit) for ${row.organization_id}, Postgres ${wanted}`)
  }
  const looked = `${states.length} states, ${positions.length} positions`
  return { audit: 'published copies = Postgres', faults, looked }
}

const textOf = ({ state, version, revision }: { state: string; version: string | number; revision: string }): string =>
  `${state} (version ${version}, revision ${revision})`
