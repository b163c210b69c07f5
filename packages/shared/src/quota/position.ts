import type { EnforcementState, ReducedConfig } from '../contracts/index.ts'

/** Why a step that is reached has no effect. */
export type Softening = 'soft' | 'grace' | 'observe' | 'exempt' | 'restored'

/** What somebody ordered by hand, while it holds. */
export interface ManualAct {
  readonly act: 'revoke' | 'downgrade' | 'exempt' | 'restore'
  /** Epoch ms; null: until it is taken back. */
  readonly until: number | null
  /** What was used when access was restored: steps reached by then stay without effect. */
  readonly used: bigint
  readonly cost: bigint
}

/** What a decision rests on: usage of one period and all that bears on it. Optional is what most positions lack. */
export interface QuotaPosition {
  /** LLM tokens by the ledger; `limit: null` is unlimited. Grants are part of the limit. */
  readonly used: bigint
  readonly limit: bigint | null
  /** The part of `limit` that was granted on top. */
  readonly granted?: bigint
  /** 10⁻¹² US dollars by the ledger. */
  readonly cost?: bigint
  /** The present, epoch ms; only grace and manual acts look at it. */
  readonly at?: number
  /** Since when a step with a grace is reached: its key → epoch ms. */
  readonly reached?: Readonly<Record<string, number>>
  /** Named configs of the plan and the installation; the policy's own come first. */
  readonly reducedConfigs?: Readonly<Record<string, ReducedConfig>>
  readonly manualAct?: ManualAct | null
  /** Record what would happen and refuse nothing. */
  readonly observe?: boolean
}

/** What a step would have done if it had an effect. */
export interface Observed {
  readonly state: EnforcementState
  readonly reason: string
  readonly because: Softening
  /** End of the grace, epoch ms; null where no end is known. */
  readonly until: number | null
}

/** What holds, without the outlook. */
export interface Ruling {
  readonly state: EnforcementState
  /** `within_limit`, `manual_revoke`, …, or which step: `max_tokens_80_percent`. */
  readonly reason: string
  /** What is left of the organization's config; null: all of it. */
  readonly reduced_config: ReducedConfig | null
  readonly observed: Observed | null
  /** Since when steps with a grace are reached, to be kept for the next decision. */
  readonly reached: Readonly<Record<string, number>>
}

/** What follows from a position. Each `evaluate_…` is an amount at which another ruling holds; null: none does. */
export interface QuotaVerdict extends Ruling {
  readonly evaluate_at: bigint | null
  /** A total below this (a correction, a void) rules otherwise. */
  readonly evaluate_below: bigint | null
  readonly evaluate_at_cost: bigint | null
  readonly evaluate_below_cost: bigint | null
  /** When time alone changes the ruling, epoch ms: a grace or a manual act ends. */
  readonly due_at: number | null
}
