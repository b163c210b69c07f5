import type { ClosedRow, HeldRow, PositionRow, RefusedRow, RpcRow, UnheldRow } from '@tollgate/shared/store'

/** What became of a request, with where its organization stands after the call. */
export type HoldResult = ((HeldRow | RefusedRow | ClosedRow) & { readonly position: PositionRow }) | UnheldRow

/**
 * Gives each row where its organization stands, which one of them alone tells: rows of one organization share one object, so
 * that what is written of it (the RateLimit headers) is written once. Tells `onPosition` of each once.
 */
export function sharePositions(
  rows: readonly RpcRow<'reserve_tokens'>[],
  onPosition: (position: PositionRow) => void,
): HoldResult[] {
  const positions = new Map<string, PositionRow>()
  for (const row of rows) {
    if (row.as_of === null) continue
    const { organization_id, limit_tokens, used_tokens, reserved_tokens, period_start, period_end, as_of } = row
    const position = { organization_id, limit_tokens, used_tokens, reserved_tokens, period_start, period_end, as_of }
    positions.set(organization_id, position)
    onPosition(position)
  }
  return rows.map((row) => {
    if (row.outcome === 'conflict' || row.outcome === 'unknown_organization') return row
    const position = positions.get(row.organization_id)
    if (position === undefined) throw new RangeError(`no row says where the organization of ${row.i} stands`)
    return Object.assign(row, { position })
  })
}
