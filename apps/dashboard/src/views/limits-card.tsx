import { useState } from 'preact/hooks'
import type { Me, QuotaRow } from '../data/reports.ts'
import type { TokenApi } from '../data/token-api.ts'
import { formatCount } from '../figures/format.ts'
import { Card } from './states.tsx'

interface LimitsCardProps {
  readonly api: TokenApi
  readonly self: Me
  readonly position: QuotaRow
  readonly onChanged: () => void
}

/** Change the limit, top the period up; the token API decides what the user's role allows. */
export function LimitsCard({ api, self, position, onChanged }: LimitsCardProps) {
  const [message, setMessage] = useState<{ text: string; isError: boolean }>()
  const apply = async (question: string, work: () => Promise<void>, done: string): Promise<void> => {
    if (!confirm(question)) return
    try {
      await work()
      setMessage({ text: done, isError: false })
      onChanged()
    } catch (error) {
      setMessage({ text: error instanceof Error ? error.message : String(error), isError: true })
    }
  }
  const onLimit = (event: SubmitEvent): void => {
    event.preventDefault()
    const text = String(new FormData(event.currentTarget as HTMLFormElement).get('limit')).trim()
    const limit = text === '' ? null : Number(text)
    const shown = limit === null ? 'no limit' : `${formatCount(BigInt(limit))} LLM tokens`
    void apply(
      `Set the monthly limit of ${position.name} to ${shown}?`,
      () => api.setLimit(position.organization_id, limit),
      `The limit is ${shown} now.`,
    )
  }
  return (
    <Card title="Limits">
      <p>
        Monthly limit: {position.limit_tokens === null ? 'none' : `${formatCount(position.limit_tokens)} LLM tokens`}.{' '}
        {self.role === 'super_admin' ? '' : 'As its admin you may lower it; raising it is for the platform’s staff.'}
      </p>
      <form onSubmit={onLimit}>
        <label>
          New monthly limit in LLM tokens{self.role === 'super_admin' && ' (empty: no limit)'}{' '}
          <input
            name="limit"
            inputMode="numeric"
            pattern="[0-9]{1,15}"
            required={self.role !== 'super_admin'}
            value={position.limit_tokens ?? ''}
          />
        </label>
        <button type="submit">Set limit</button>
      </form>
      {self.role === 'super_admin' && <GrantForm {...{ api, position, apply }} />}
      {message !== undefined && <p role={message.isError ? 'alert' : 'status'}>{message.text}</p>}
    </Card>
  )
}

interface GrantFormProps extends Pick<LimitsCardProps, 'api' | 'position'> {
  readonly apply: (question: string, work: () => Promise<void>, done: string) => Promise<void>
}

function GrantForm({ api, position, apply }: GrantFormProps) {
  const onGrant = (event: SubmitEvent): void => {
    event.preventDefault()
    const form = new FormData(event.currentTarget as HTMLFormElement)
    const amount = Number(form.get('amount'))
    const grant = {
      amount,
      reason: String(form.get('reason')),
      expires_at: position.period_end,
      idempotency_key: crypto.randomUUID(),
    }
    const work = () => api.grant(position.organization_id, grant)
    void apply(
      `Grant ${formatCount(BigInt(amount))} LLM tokens until the period's end?`,
      work,
      'The grant is on record.',
    )
  }
  return (
    <form onSubmit={onGrant}>
      <label>
        Grant LLM tokens <input name="amount" inputMode="numeric" pattern="[1-9][0-9]{0,14}" required />
      </label>
      <label>
        Reason <input name="reason" maxLength={200} required />
      </label>
      <button type="submit">Grant until the period’s end</button>
    </form>
  )
}
