import { type QuotaPolicy, type ReducedConfig, reducedConfig } from '@tollgate/shared/contracts'
import { decide, type QuotaPosition, type QuotaVerdict, readPolicy, toPicodollars } from '@tollgate/shared/quota'
import type { RpcRow } from '@tollgate/shared/store'

type Row = RpcRow<'load_quota_position'> | RpcRow<'load_user_positions'>

/** A verdict, and whether what it takes away lapses with the period: nothing but what was used in it is the reason. */
export interface PositionVerdict extends QuotaVerdict {
  readonly lapses: boolean
  /** What the period's usage may cost; null: no limit. */
  readonly maxCostUsd: string | null
}

/** The verdict on a position as the database hands it over; `onUnreadable` is told of a policy that cannot be read. */
export function judgePosition(row: Row, onUnreadable: () => void): PositionVerdict {
  const policy: QuotaPolicy = readPolicy(row.policy, onUnreadable)
  const act = row.manual_act
  const position: QuotaPosition = {
    used: BigInt(row.used_tokens),
    limit: row.limit_tokens === null ? null : BigInt(row.limit_tokens),
    granted: 'granted_tokens' in row ? BigInt(row.granted_tokens) : 0n,
    cost: toPicodollars(row.cost_usd),
    at: Date.parse(row.as_of),
    reached: row.reached,
    reducedConfigs: readReducedConfigs(row.reduced_configs),
    observe: row.mode === 'observe',
    manualAct: act && {
      act: act.act,
      until: act.until === null ? null : Date.parse(act.until),
      used: BigInt(act.used_tokens),
      cost: toPicodollars(act.cost_usd),
    },
  }
  const verdict = decide(position, policy)
  const lapses = takesAway(verdict) && !takesAway(decide(atNextPeriod(position, row), policy))
  return { ...verdict, lapses, maxCostUsd: policy.max_cost_usd ?? null }
}

const takesAway = ({ state }: QuotaVerdict): boolean => state === 'downgraded' || state === 'revoked'

// Grants may be spent or expired by then.
function atNextPeriod(position: QuotaPosition, row: Row): QuotaPosition {
  const limit = 'base_limit_tokens' in row ? row.base_limit_tokens : row.limit_tokens
  const fresh = { used: 0n, cost: 0n, granted: 0n, limit: limit === null ? null : BigInt(limit) }
  return { ...position, ...fresh, reached: {}, at: Date.parse(row.period_end) }
}

// One that cannot be read is as good as none: whoever names it gets what the default leaves.
function readReducedConfigs(stored: unknown): Record<string, ReducedConfig> {
  if (typeof stored !== 'object' || stored === null) return {}
  const entries = Object.entries(stored).flatMap(([name, config]) => {
    const parsed = reducedConfig.safeParse(config)
    return parsed.success ? [[name, parsed.data] as const] : []
  })
  return Object.fromEntries(entries)
}
