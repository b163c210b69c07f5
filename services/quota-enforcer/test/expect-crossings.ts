import { expect } from 'vitest'
import type { World } from './world.ts'

interface DecisionRow {
  readonly id: string
  readonly user_id: string | null
  readonly from_state: string
  readonly to_state: string
  readonly reason: string
  readonly observed: { readonly reason: string } | null
  readonly inputs: Readonly<Record<string, unknown>>
}

const LADDER = ['active', 'warned', 'downgraded', 'revoked']
const TOLD = ['', 'quota.threshold', 'quota.downgraded', 'quota.revoked']

/** What a decision was made under: limit, grants, period and act. */
function underOf({ user_id, inputs }: DecisionRow): string {
  const names = ['period_start', 'limit_tokens', 'base_limit_tokens', 'granted_tokens', 'act_decision_id']
  // Setting a user's limit anew counts as another limit, also where the number is the same.
  const version = user_id === null ? null : inputs.policy_version
  return JSON.stringify([version, ...names.map((name) => inputs[name] ?? null)])
}

/** What a decision is told as, but for what it was made under. */
function stepOf({ user_id, from_state, to_state, reason, observed }: DecisionRow): string | undefined {
  const [was, becomes] = [LADDER.indexOf(from_state), LADDER.indexOf(to_state)]
  const isRestored = was >= LADDER.indexOf('downgraded') && becomes < was
  const type = isRestored ? 'quota.restored' : TOLD[becomes]
  if (!type) return undefined
  const step = isRestored ? from_state : `${reason} ${observed?.reason ?? ''}`
  return JSON.stringify([type, user_id, step])
}

/** The same twice is one crossing: same step, and whatever was decided in between was decided under the same. */
function nameCrossings(decisions: readonly DecisionRow[]): Map<string, string> {
  const last = new Map<string | null, { readonly under: string; readonly turn: number }>()
  return new Map(
    decisions.flatMap((decision) => {
      const [under, before] = [underOf(decision), last.get(decision.user_id)]
      const turn = (before?.turn ?? 0) + (before?.under === under ? 0 : 1)
      last.set(decision.user_id, { under, turn })
      const step = stepOf(decision)
      return step === undefined ? [] : [[decision.id, `${step} under ${turn}`] as const]
    }),
  )
}

/** Says that every crossing of an organization was told to an endpoint, and none twice. */
export async function expectCrossingsOnce(world: World, organizationId: string, endpointId: string): Promise<void> {
  const decisions = await world.admin.query<DecisionRow>(
    `select id, user_id, from_state, to_state, reason, observed, inputs from tollgate.quota_decisions
     where organization_id = $1 and kind = 'change' order by seq`,
    [organizationId],
  )
  const told = await world.admin.query<{ id: string }>(
    `select w.payload #>> '{data,decision_id}' as id from tollgate.webhook_deliveries w
     where w.endpoint_id = $1 and w.organization_id = $2 and w.payload #> '{data,decision_id}' is not null order by w.seq`,
    [endpointId, organizationId],
  )
  const crossings = nameCrossings(decisions.rows)
  expect(told.rows.map(({ id }) => crossings.get(id))).toEqual([...new Set(crossings.values())])
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
