import type pg from 'pg'

/** One change of an organization's enforcement state, from the record of decisions. */
export interface Decision {
  readonly id: string
  readonly organizationId: string
  readonly decidedAt: string
  readonly fromState: string
  readonly toState: string
  readonly version: number
  readonly reason: string
}

interface DecisionRow {
  id: string
  organization_id: string
  decided_at: Date
  from_state: string
  to_state: string
  version: string
  reason: string
}

/** The ids of decisions that are on record. */
export async function readDecisionIds(pool: pg.Pool, organizationIds: readonly string[]): Promise<Set<string>> {
  const { rows } = await pool.query<{ id: string }>(
    'select id from tollgate.quota_decisions where organization_id = any($1::uuid[])',
    [organizationIds],
  )
  return new Set(rows.map(({ id }) => id))
}

/** Reads the decisions about some organizations in their order, without those in `known`. */
export async function readDecisions(
  pool: pg.Pool,
  organizationIds: readonly string[],
  known: ReadonlySet<string>,
): Promise<Decision[]> {
  const { rows } = await pool.query<DecisionRow>(
    `select id, organization_id, decided_at, from_state, to_state, version::text, reason
       from tollgate.quota_decisions where organization_id = any($1::uuid[]) order by decided_at, version`,
    [organizationIds],
  )
  return rows
    .filter(({ id }) => !known.has(id))
    .map((row) => ({
      id: row.id,
      organizationId: row.organization_id,
      decidedAt: row.decided_at.toISOString(),
      fromState: row.from_state,
      toState: row.to_state,
      version: Number(row.version),
      reason: row.reason,
    }))
}

/** Whether the enforcer has yet to look at one of the organizations: a limit changed, or usage passed a step. */
export async function isEvaluationDue(pool: pg.Pool, organizationIds: readonly string[]): Promise<boolean> {
  const { rows } = await pool.query<{ due: boolean }>(
    `select exists (select from public.list_due_evaluations(null) d where d.organization_id = any($1::uuid[])) as due`,
    [organizationIds],
  )
  return rows[0]?.due === true
}
