import type { QuotaStep } from '@tollgate/shared/contracts'
import { useState } from 'preact/hooks'
import type { Me, QuotaRow } from '../data/reports.ts'
import type { TokenApi } from '../data/token-api.ts'
import { COUNT_PATTERN, COUNT_TITLE, formatCount, formatMoney } from '../figures/format.ts'
import {
  AMOUNTS,
  DEFAULT_POLICY,
  describeAmount,
  describeStep,
  readPolicyForm,
  readStepKind,
  STEP_KINDS,
  STEP_STATES,
  toFields,
} from '../figures/policy-form.ts'
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
  // What the form was opened with: what somebody else puts into force meanwhile must not be overwritten unseen.
  const [{ policy, version }] = useState({
    policy: position.policy ?? DEFAULT_POLICY,
    version: Number(position.policy_version),
  })
  const [rows, setRows] = useState<readonly Row[]>(() => policy.steps.map((step, id) => ({ id, step })))
  const onSubmit = (event: SubmitEvent): void => {
    event.preventDefault()
    const form = new FormData(event.currentTarget as HTMLFormElement)
    const next = readPolicyForm(
      form,
      policy,
      rows.map(({ step }) => step),
    )
    act.run(
      [
        `Put this policy into force for ${position.name}? It is evaluated at once.`,
        ...next.steps.map(describeStep),
      ].join('\n'),
      () => api.setPolicy(position.organization_id, version, next),
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
        <input name="max_cost_usd" inputMode="decimal" {...AMOUNTS.at_usd} defaultValue={policy.max_cost_usd ?? ''} />
      </label>
      <label>
        LLM tokens of one chat session (empty: no limit)
        <input
          name="session_max_tokens"
          inputMode="numeric"
          pattern={COUNT_PATTERN}
          title={COUNT_TITLE}
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
  const [kind, setKind] = useState(fields.kind)
  return (
    <fieldset class="step" aria-label="Step">
      <label>
        From
        <input name="amount" inputMode="decimal" required {...AMOUNTS[kind]} defaultValue={fields.amount} />
      </label>
      <label>
        Counted in
        <select name="kind" onChange={(event) => setKind(readStepKind(event.currentTarget.value))}>
          {Object.entries(STEP_KINDS).map(([each, name]) => (
            <option key={each} value={each} selected={each === kind}>
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
