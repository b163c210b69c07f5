import type { Me, QuotaRow } from '../data/reports.ts'
import type { TokenApi } from '../data/token-api.ts'
import { limitedOrganization, tellConsequence } from '../figures/consequence.ts'
import { COUNT_PATTERN, COUNT_TITLE, formatCount, isCount, readCount } from '../figures/format.ts'
import { useAct } from './act.tsx'
import { Card } from './states.tsx'

interface LimitsCardProps {
  readonly api: TokenApi
  readonly self: Me
  readonly position: QuotaRow
  readonly onChanged: () => void
}

/** Change the limit; the token API decides what the user's role allows. */
export function LimitsCard({ api, self, position, onChanged }: LimitsCardProps) {
  const act = useAct(onChanged)
  const isStaff = self.role === 'super_admin'
  const onLimit = (event: SubmitEvent): void => {
    event.preventDefault()
    const limit = readCount(new FormData(event.currentTarget as HTMLFormElement).get('limit'))
    const shown = limit === null ? 'no limit' : `${formatCount(BigInt(limit))} LLM tokens`
    const told = [
      `Set the monthly limit of ${position.name} to ${shown}?`,
      tellConsequence(limit, limitedOrganization(position)),
      ...(isStaff ? [] : ['Only the platform’s staff can raise it again.']),
    ]
    act.run(
      told.filter((text) => text !== '').join(' '),
      () => api.setLimit(position.organization_id, limit),
      `The limit is ${shown} now.`,
    )
  }
  const most = isStaff ? null : position.limit_tokens
  return (
    <Card title="Limit">
      <p>
        Monthly limit: {position.limit_tokens === null ? 'none' : `${formatCount(position.limit_tokens)} LLM tokens`}.{' '}
        {!isStaff && 'As its admin you may lower it; raising it is for the platform’s staff.'}
      </p>
      <form onSubmit={onLimit}>
        <label>
          New monthly limit in LLM tokens{isStaff && ' (empty: no limit)'}
          {most !== null && ` (at most ${formatCount(most)})`}
          <input
            name="limit"
            inputMode="numeric"
            pattern={COUNT_PATTERN}
            title={COUNT_TITLE}
            required={!isStaff}
            onInput={({ currentTarget }) => currentTarget.setCustomValidity(tellExcess(currentTarget.value, most))}
            // As a default: a refresh of the page's figures must not overwrite what is being typed.
            defaultValue={position.limit_tokens ?? ''}
          />
        </label>
        <button type="submit">Set limit</button>
      </form>
      {act.view}
    </Card>
  )
}

// What is no count yet is the pattern's to tell.
function tellExcess(typed: string, most: string | null): string {
  if (most === null || !isCount(typed) || (readCount(typed) ?? 0) <= Number(most)) return ''
  return `At most ${formatCount(most)}: an admin may lower the limit, raising it is for the platform’s staff.`
}
