import type { QuotaRow, StepRow } from '../data/reports.ts'
import { formatCount, formatPercent, formatShort, formatTime } from '../figures/format.ts'
import { project, tellAmount } from '../figures/outlook.ts'
import { STEP_STATES } from '../figures/policy-form.ts'
import { Card, StateBadge } from './states.tsx'

interface QuotaCardProps {
  readonly position: QuotaRow
  readonly now: number
}

/** The quota meter: used, reserved, limit with grants, projection, and the marks at which something happens. */
export function QuotaCard({ position, now }: QuotaCardProps) {
  const used = Number(position.used_tokens)
  const reserved = Number(position.reserved_tokens)
  const limit = position.limit_tokens === null ? null : Number(position.limit_tokens) + Number(position.granted_tokens)
  const projected = project(position, now)
  // The meter is in LLM tokens; steps in dollars stand in its legend alone.
  const marks = position.steps.flatMap(({ at_tokens, state }) =>
    at_tokens === null ? [] : [{ at: Number(at_tokens), state }],
  )
  const width = Math.max(1, used + reserved, projected ?? 0, limit ?? 0, ...marks.map(({ at }) => at)) * 1.02
  const left = (amount: number): string => `${(amount / width) * 100}%`
  return (
    <Card title="Quota">
      <p class="quota-line">
        <strong>{formatCount(position.used_tokens)}</strong> LLM tokens used
        {reserved > 0 && <>, {formatCount(position.reserved_tokens)} reserved</>}
        {limit === null ? (
          ', no limit'
        ) : (
          <>
            {' '}
            of {formatCount(BigInt(limit))} ({formatPercent(position.used_tokens, limit)})
          </>
        )}
        {Number(position.granted_tokens) > 0 && <>, {formatCount(position.granted_tokens)} of them granted</>}{' '}
        <StateBadge state={position.state} />
      </p>
      <meter
        class="unseen"
        aria-label="LLM tokens used of the limit"
        min={0}
        max={limit ?? Math.round(width)}
        value={used}
      />
      <div class="meter" aria-hidden="true">
        <i class="used" style={{ width: left(used) }} />
        <i class="reserved" style={{ left: left(used), width: left(reserved) }} />
        {projected !== null && <i class="projected" style={{ left: left(projected) }} title="Projected" />}
        {limit !== null && <i class="limit" style={{ left: left(limit) }} title="Limit" />}
        {marks.map(({ at, state }) => (
          <i
            key={`${at} ${state}`}
            class={`mark ${state}`}
            style={{ left: left(at) }}
            title={`${state} at ${formatShort(at)}`}
          />
        ))}
      </div>
      <ul class="legend" aria-label="Marks of the meter">
        <li>
          <i class="c-0" aria-hidden="true" /> used
        </li>
        {reserved > 0 && (
          <li>
            <i class="reserved" aria-hidden="true" /> reserved
          </li>
        )}
        {limit !== null && (
          <li>
            <i class="line limit" aria-hidden="true" /> limit {formatShort(limit)}
          </li>
        )}
        {projected !== null && (
          <li>
            <i class="line projected" aria-hidden="true" /> projected to the period’s end {formatShort(projected)}
          </li>
        )}
        {STEP_STATES.map((state) => ({ state, at: position.steps.filter((step) => step.state === state) }))
          .filter(({ at }) => at.length > 0)
          .map(({ state, at }) => (
            <li key={state}>
              <i class={`line mark ${state}`} aria-hidden="true" /> {state} from{' '}
              {at.map((step) => `${tellMark(step)}${step.mode === 'soft' ? ' (only recorded)' : ''}`).join(', ')}
            </li>
          ))}
      </ul>
      <p class="quiet">
        {position.mode === 'observe' && 'Limits are observed alone: nothing is refused. '}
        {projected === null && 'Too early in the period for a projection. '}
        {position.fresh_at !== null && <>Newest usage counted {formatTime(position.fresh_at, position.time_zone)}.</>}
      </p>
    </Card>
  )
}

const tellMark = (step: StepRow): string =>
  step.at_tokens === null ? tellAmount(step) : formatShort(Number(step.at_tokens))
