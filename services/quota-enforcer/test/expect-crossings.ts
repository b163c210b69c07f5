import { expect } from 'vitest'
import type { World } from './world.ts'

interface DecisionRow {
  readonly user_id: string | null
  readonly from_state: string
  readonly to_state: string
  readonly reason: string
  readonly observed: { readonly reason: string } | null
  readonly inputs: Readonly<Record<string, unknown>>
}

const LADDER = ['active', 'warned', 'downgraded', 'revoked']
const TOLD = ['', 'quota.threshold', 'quota.downgraded', 'quota.revoked']

/** What a decision is told as; the same twice is one crossing: same step, under the same limit, grants, period and act. */
function crossingOf({ user_id, from_state, to_state, reason, observed, inputs }: DecisionRow): string | undefined {
  const [was, becomes] = [LADDER.indexOf(from_state), LADDER.indexOf(to_state)]
  const isRestored = was >= LADDER.indexOf('downgraded') && becomes < was
  const type = isRestored ? 'quota.restored' : TOLD[becomes]
  if (!type) return undefined
  const step = isRestored ? from_state : `${reason} ${observed?.reason ?? ''}`
  const under = ['period_start', 'limit_tokens', 'base_limit_tokens', 'granted_tokens', 'act_decision_id']
  // Setting a user's limit anew counts as another limit, also where the number is the same.
  const version = user_id === null ? null : inputs.policy_version
  return JSON.stringify([type, user_id, step, version, under.map((name) => inputs[name] ?? null)])
}

/** Says that every crossing of an organization was told to an endpoint, and none twice. */
export async function expectCrossingsOnce(world: World, organizationId: string, endpointId: string): Promise<void> {
  const decisions = await world.admin.query<DecisionRow>(
    `select user_id, from_state, to_state, reason, observed, inputs from tollgate.quota_decisions
     where organization_id = $1 and kind = 'change' order by seq`,
    [organizationId],
  )
  const told = await world.admin.query<DecisionRow>(
    `select d.user_id, d.from_state, d.to_state, d.reason, d.observed, d.inputs from tollgate.webhook_deliveries w
     join tollgate.quota_decisions d on d.id = (w.payload #>> '{data,decision_id}')::uuid
     where w.endpoint_id = $1 and w.organization_id = $2 order by w.seq`,
    [endpointId, organizationId],
  )
  const crossings = decisions.rows.flatMap((row) => crossingOf(row) ?? [])
  expect(told.rows.map(crossingOf)).toEqual([...new Set(crossings)])
}

/** Versions and revisions only rise, decisions form a chain, and none says what the one before said. */
export async function expectChain(world: World, id: string): Promise<void> {
  const sql = `select from_state, to_state, version::bigint, reason, observed from tollgate.quota_decisions
    where organization_id = $1 and user_id is null and kind = 'change' order by seq`
  const { rows } = await world.admin.query(sql, [id])
  let [state, version, said] = ['active', 0n, '']
  for (const row of rows) {
    expect(row.from_state).toBe(state)
    expect(BigInt(row.version)).toBeGreaterThanOrEqual(version)
    const says = JSON.stringify([row.to_state, row.reason, row.observed, row.version])
    expect(says).not.toBe(said)
    ;[state, version, said] = [row.to_state, BigInt(row.version), says]
  }
}
