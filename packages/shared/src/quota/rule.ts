import { DEFAULT_QUOTA_POLICY } from '../contracts/default-quota-policy.ts'
import type { EnforcementState, QuotaPolicy, ReducedConfig } from '../contracts/index.ts'
import type { ManualAct, Observed, QuotaPosition, Ruling, Softening } from './position.ts'
import { type Rung, rank, strictestOf } from './rungs.ts'

interface Position extends QuotaPosition {
  readonly cost: bigint
}

/** Says what holds at a position: the strictest step in effect, and what a stricter one would have done. */
export function rule(position: Position, policy: QuotaPolicy, rungs: readonly Rung[]): Ruling {
  const at = position.at ?? 0
  const act = standingAct(position, at)
  const reachedRungs = rungs.filter((rung) => rung.threshold <= amountOf(position, rung))
  const reached = rememberGraces(reachedRungs, position.reached ?? {}, at)
  const soften = (rung: Rung) => softeningOf(rung, position, act, reached, at)
  const inEffect = strictestOf(reachedRungs.filter((rung) => soften(rung) === null))
  const withheld = strictestOf(reachedRungs.filter((rung) => soften(rung) !== null))
  const ladder: Standing = inEffect
    ? { state: inEffect.step.state, reason: inEffect.key, reduction: inEffect.step.downgrade_to }
    : { state: 'active', reason: 'within_limit' }
  const manual = ordered(act, ladder)
  const firm = manual && !position.observe ? manual : ladder
  const observed =
    manual && position.observe
      ? { state: manual.state, reason: manual.reason, because: 'observe' as const, until: act?.until ?? null }
      : observe(withheld, firm, soften, reached)
  const shown =
    observed !== null && firm.state === 'active' ? { state: 'warned' as const, reason: observed.reason } : firm
  return {
    state: shown.state,
    reason: shown.reason,
    reduced_config:
      rank(shown.state) < rank('downgraded') ? null : resolve(firm.reduction ?? policy.downgrade_to, policy, position),
    observed,
    reached,
  }
}

interface Standing {
  readonly state: EnforcementState
  readonly reason: string
  readonly reduction?: QuotaPolicy['downgrade_to'] | undefined
}

const amountOf = (position: Position, rung: Rung): bigint => (rung.measure === 'tokens' ? position.used : position.cost)

function standingAct({ manualAct: act }: Position, at: number): ManualAct | null {
  return act && (act.until === null || act.until > at) ? act : null
}

function rememberGraces(rungs: readonly Rung[], known: Readonly<Record<string, number>>, at: number) {
  const graced = rungs.filter(({ step }) => (step.grace_seconds ?? 0) > 0)
  return Object.fromEntries(graced.map(({ key }) => [key, known[key] ?? at]))
}

/** Why a reached rung has no effect; null: it has. A warning refuses nothing, so nothing softens it. */
function softeningOf(
  rung: Rung,
  position: Position,
  act: ManualAct | null,
  reached: Readonly<Record<string, number>>,
  at: number,
): Softening | null {
  const { step, key, measure, threshold } = rung
  if (step.state === 'warned') return null
  if (position.observe) return 'observe'
  if (act?.act === 'exempt') return 'exempt'
  if (act?.act === 'restore' && threshold <= (measure === 'tokens' ? act.used : act.cost)) return 'restored'
  if (step.mode === 'soft') return 'soft'
  const since = reached[key]
  return since !== undefined && at < since + (step.grace_seconds ?? 0) * 1_000 ? 'grace' : null
}

/** What a manual act makes of the ladder's standing; null where it changes nothing. */
function ordered(act: ManualAct | null, ladder: Standing): Standing | null {
  if (act?.act === 'revoke') return { state: 'revoked', reason: 'manual_revoke' }
  const isMilder = rank(ladder.state) < rank('downgraded')
  return act?.act === 'downgrade' && isMilder ? { state: 'downgraded', reason: 'manual_downgrade' } : null
}

function observe(
  withheld: Rung | null,
  firm: Standing,
  soften: (rung: Rung) => Softening | null,
  reached: Readonly<Record<string, number>>,
): Observed | null {
  if (withheld === null || rank(withheld.step.state) <= rank(firm.state)) return null
  const because = soften(withheld) ?? 'soft'
  const since = reached[withheld.key]
  const until = because === 'grace' && since !== undefined ? since + (withheld.step.grace_seconds ?? 0) * 1_000 : null
  return { state: withheld.step.state, reason: withheld.key, because, until }
}

// A name that nobody defined leaves what the default leaves: ignoring it would grant what was to be taken away.
function resolve(reduction: QuotaPolicy['downgrade_to'], policy: QuotaPolicy, position: Position): ReducedConfig {
  if (typeof reduction !== 'string') return reduction
  const known = { ...position.reducedConfigs, ...policy.reduced_configs }
  return Object.hasOwn(known, reduction) ? (known[reduction] ?? FALLBACK) : FALLBACK
}

const FALLBACK: ReducedConfig = DEFAULT_QUOTA_POLICY.downgrade_to
