import { useState } from 'preact/hooks'
import type { QuotaRow } from '../data/reports.ts'
import type { GrantOrder, TokenApi } from '../data/token-api.ts'
import { COUNT_PATTERN, COUNT_TITLE, formatCount, formatTime, readCount } from '../figures/format.ts'
import { dayStart } from '../filters/day-start.ts'
import { addDays } from '../filters/days.ts'
import { dayIn } from '../filters/span.ts'
import type { Act } from './act.tsx'

interface GrantFormProps {
  readonly api: TokenApi
  readonly position: QuotaRow
  readonly act: Act
}

const EXPIRIES = { period: 'the period’s end', day: 'a day’s end', never: 'it is spent' } as const

/** Adds LLM tokens to the limit. */
export function GrantForm({ api, position, act }: GrantFormProps) {
  const [expiry, setExpiry] = useState('period')
  const { name, time_zone, period_end } = position
  const onGrant = (event: SubmitEvent): void => {
    event.preventDefault()
    const element = event.currentTarget as HTMLFormElement
    const form = new FormData(element)
    const day = form.get('day')
    const end = day === null ? period_end : dayStart(addDays(String(day), 1), time_zone)
    const grant: GrantOrder = {
      amount: readCount(form.get('amount')) ?? 0,
      reason: String(form.get('reason')),
      priority: readCount(form.get('priority')) ?? 100,
      ...(expiry === 'never' ? {} : { expires_at: new Date(end).toISOString() }),
      idempotency_key: crypto.randomUUID(),
    }
    const until = expiry === 'never' ? 'it is spent' : formatTime(end, time_zone)
    act.run(
      `Grant ${name} ${formatCount(BigInt(grant.amount))} LLM tokens, valid until ${until}?`,
      async () => {
        await api.grant(position.organization_id, grant)
        // What stands there still would be granted again by another click.
        element.reset()
        setExpiry('period')
      },
      'The grant is on record.',
    )
  }
  return (
    <form onSubmit={onGrant}>
      <label>
        Grant LLM tokens
        <input name="amount" inputMode="numeric" pattern={`(?!0)(?:${COUNT_PATTERN})`} title={COUNT_TITLE} required />
      </label>
      <label>
        Reason
        <input name="reason" maxLength={200} required />
      </label>
      <label>
        Valid until
        <select name="expiry" onChange={(event) => setExpiry(event.currentTarget.value)}>
          {Object.entries(EXPIRIES).map(([value, text]) => (
            <option key={value} value={value}>
              {text}
            </option>
          ))}
        </select>
      </label>
      {expiry === 'day' && (
        <label>
          Last day
          <input name="day" type="date" required min={dayIn(position.as_of, time_zone)} />
        </label>
      )}
      <label>
        Priority (lowest first)
        <input name="priority" inputMode="numeric" pattern="[0-9]{1,6}" defaultValue="100" required />
      </label>
      <button type="submit">Grant</button>
    </form>
  )
}
