import type { QuotaStep } from '@tollgate/shared/contracts'
import { useState } from 'preact/hooks'
import type { Me, QuotaRow } from '../data/reports.ts'
import type { TokenApi } from '../data/token-api.ts'
import { formatCount, formatMoney } from '../figures/format.ts'
import { DEFAULT_POLICY, readPolicyForm, STEP_KINDS, STEP_STATES, toFields } from '../figures/policy-form.ts'
import { useAct } from './act.tsx'
import { Card, StateBadge } from './states.tsx'

interface PolicyCardProps {
  readonly api: TokenApi
  readonly self: Me
  readonly position: QuotaRow
  readonly onChanged: () => void
}

/** The ladder of steps; the platform's staff may change it, an organization's own admin sees it. */
export function PolicyCard({ api, self, position, onChanged }: PolicyCardProps) {
  const [isEdited, setEdited] = useState(false)
  const act = useAct(() => {
    setEdited(false)
    onChanged()
  })
  const policy = position.policy ?? DEFAULT_POLICY
  return (
    <Card title="Policy">
      {position.policy === null && <p class="quiet">The default ladder: nobody chose another one.</p>}
      {isEdited ? (
        <PolicyForm {...{ api, position, act }} onCancel={() => setEdited(false)} />
      ) : (
        <>
          <ul class="ladder">
            {policy.steps.map((step) => (
              <li key={JSON.stringify(step)}>
                <span>{describeAmount(step)}</span> <StateBadge state={step.state} />
                {step.mode === 'soft' && ' only recorded and notified'}
                {step.grace_seconds !== undefined && ` after ${formatCount(String(step.grace_seconds))} s`}
              </li>
            ))}
          </ul>
          <p class="quiet">
            {policy.max_cost_usd ? `Cost limit ${formatMoney(policy.max_cost_usd)} a period. ` : 'No cost limit. '}
            {policy.session_max_tokens
              ? `A chat session may hold ${formatCount(String(policy.session_max_tokens))} LLM tokens.`
              : 'No limit of chat sessions.'}
          </p>
          {self.role === 'super_admin' && (
            <button type="button" onClick={() => setEdited(true)}>
              Change policy
            </button>
          )}
        </>
      )}
      {act.view}
    </Card>
  )
}

function describeAmount(step: QuotaStep): string {
  const { kind, amount } = toFields(step)
  switch (kind) {
    case 'at_percent':
      return `From ${amount} % of the limit`
    case 'at_tokens':
      return `From ${formatCount(amount)} LLM tokens`
    case 'at_usd':
      return `From ${formatMoney(amount)}`
  }
}

interface PolicyFormProps extends Pick<PolicyCardProps, 'api' | 'position'> {
  readonly act: ReturnType<typeof useAct>
  readonly onCancel: () => void
}

// Rows keep their identity while others come and go.
interface Row {
  readonly id: number
  readonly step: QuotaStep | undefined
}

function PolicyForm({ api, position, act, onCancel }: PolicyFormProps) {
  const [policy] = useState(position.policy ?? DEFAULT_POLICY)
  const [rows, setRows] = useState<readonly Row[]>(() => policy.steps.map((step, id) => ({ id, step })))
  const onSubmit = (event: SubmitEvent): void => {
    event.preventDefault()
    const form = new FormData(event.currentTarget as HTMLFormElement)
    const next = readPolicyForm(
      form,
      policy,
      rows.map(({ step }) => step),
    )
    const limit = position.limit_tokens === null ? null : Number(position.limit_tokens)
    act.run(
      `Put this policy of ${next.steps.length} steps into force for ${position.name}? It is evaluated at once.`,
      () => api.setPolicy(position.organization_id, limit, next),
      'The policy is in force.',
    )
  }
  const nextId = Math.max(-1, ...rows.map(({ id }) => id)) + 1
  return (
    <form class="policy" onSubmit={onSubmit}>
      {rows.map(({ id, step }) => (
        <StepRow key={id} step={step} onRemove={() => setRows(rows.filter((row) => row.id !== id))} />
      ))}
      <button type="button" onClick={() => setRows([...rows, { id: nextId, step: undefined }])}>
        Add a step
      </button>
      <label>
        Cost limit of a period in US dollars (empty: none)
        <input
          name="max_cost_usd"
          inputMode="decimal"
          pattern="[0-9]{1,12}([.][0-9]{1,12})?"
          defaultValue={policy.max_cost_usd ?? ''}
        />
      </label>
      <label>
        LLM tokens of one chat session (empty: no limit)
        <input
          name="session_max_tokens"
          inputMode="numeric"
          pattern="[0-9 ,_.]{1,20}"
          defaultValue={policy.session_max_tokens ?? ''}
        />
      </label>
      {typeof policy.downgrade_to === 'string' ? (
        <p class="quiet">A downgrade leaves what is named “{policy.downgrade_to}”.</p>
      ) : (
        <label>
          Models that a downgrade leaves, with commas (empty: all)
          <input name="models" defaultValue={policy.downgrade_to.enabled_models?.join(', ') ?? ''} />
        </label>
      )}
      <div class="row">
        <button type="submit" class="primary">
          Put into force
        </button>
        <button type="button" onClick={onCancel}>
          Cancel
        </button>
      </div>
    </form>
  )
}

const NEW_STEP: QuotaStep = { at_percent: 100, state: 'warned' }

function StepRow({ step, onRemove }: { readonly step: QuotaStep | undefined; readonly onRemove: () => void }) {
  const fields = toFields(step ?? NEW_STEP)
  return (
    <fieldset class="step" aria-label="Step">
      <label>
        From
        <input
          name="amount"
          inputMode="decimal"
          required
          pattern="[0-9]{1,16}([.][0-9]{1,12})?"
          defaultValue={fields.amount}
        />
      </label>
      <label>
        Counted in
        <select name="kind">
          {Object.entries(STEP_KINDS).map(([kind, name]) => (
            <option key={kind} value={kind} selected={kind === fields.kind}>
              {name}
            </option>
          ))}
        </select>
      </label>
      <label>
        Then
        <select name="state">
          {STEP_STATES.map((state) => (
            <option key={state} value={state} selected={state === fields.state}>
              {state}
            </option>
          ))}
        </select>
      </label>
      <label>
        Effect
        <select name="mode">
          <option value="hard" selected={fields.mode === 'hard'}>
            takes effect
          </option>
          <option value="soft" selected={fields.mode === 'soft'}>
            only recorded
          </option>
        </select>
      </label>
      <label>
        Grace in s
        <input name="grace" inputMode="numeric" pattern="[0-9]{0,6}" defaultValue={fields.grace} />
      </label>
      <button type="button" class="link" onClick={onRemove}>
        Remove
      </button>
    </fieldset>
  )
}
