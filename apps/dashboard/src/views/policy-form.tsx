import type { QuotaPolicy, QuotaStep } from '@tollgate/shared/contracts'
import { useState } from 'preact/hooks'
import { COUNT_PATTERN, COUNT_TITLE } from '../figures/format.ts'
import {
  AMOUNTS,
  chosenConfig,
  configField,
  describePolicy,
  type FormConfig,
  readPolicyForm,
  toFormConfigs,
  USUAL,
} from '../figures/policy-form.ts'
import type { Act } from './act.tsx'
import { ConfigChoice } from './config-choice.tsx'
import { ConfigFields } from './config-fields.tsx'
import { StepRow } from './step-row.tsx'

interface PolicyFormProps {
  readonly policy: QuotaPolicy
  /** Asked before it comes into force; the policy in words stands beneath. */
  readonly question: string
  /** What a policy does at once; said with the question. */
  readonly tellConsequence: (policy: QuotaPolicy) => string
  /** Whether the policy limits chat sessions too. */
  readonly hasSessions: boolean
  readonly act: Act
  /** Of the first field, which the focus may be handed on to. */
  readonly fieldRef?: (element: HTMLElement | null) => void
  readonly save: (policy: QuotaPolicy) => Promise<void>
  readonly onCancel: () => void
}

// Rows keep their identity while others come and go.
interface Row {
  readonly id: number
  readonly step: QuotaStep | undefined
}

const nextIdOf = (rows: readonly { readonly id: number }[]): number => Math.max(-1, ...rows.map(({ id }) => id)) + 1

/** A ladder of steps, what its downgrades leave, and the limits beside LLM tokens. */
export function PolicyForm(props: PolicyFormProps) {
  const { policy: current, question, tellConsequence, hasSessions, act, fieldRef, save, onCancel } = props
  // What the form was opened with: a refresh of the page's figures must not change it beneath the hands.
  const [policy] = useState(current)
  const [opened] = useState(() => toFormConfigs(policy))
  const [rows, setRows] = useState<readonly Row[]>(() => policy.steps.map((step, id) => ({ id, step })))
  const [configs, setConfigs] = useState(opened)
  const [fault, setFault] = useState<string>()
  const onSubmit = (event: SubmitEvent): void => {
    event.preventDefault()
    const form = new FormData(event.currentTarget as HTMLFormElement)
    try {
      const next = readPolicyForm(form, { policy, steps: rows.map(({ step }) => step), configs })
      setFault(undefined)
      const asked = [question, tellConsequence(next), ...describePolicy(next)].filter((line) => line !== '')
      act.run(asked.join('\n'), () => save(next), 'The policy is in force.')
    } catch (error) {
      setFault(error instanceof Error ? error.message : String(error))
    }
  }
  return (
    <form
      class="policy"
      onSubmit={onSubmit}
      ref={(form) => fieldRef?.(form?.querySelector<HTMLElement>('input, select') ?? null)}
    >
      {rows.map(({ id, step }) => (
        <StepRow
          key={id}
          {...{ step, configs, opened }}
          onRemove={() => setRows(rows.filter((row) => row.id !== id))}
        />
      ))}
      <button type="button" onClick={() => setRows([...rows, { id: nextIdOf(rows), step: undefined }])}>
        Add a step
      </button>
      <DowngradeFields {...{ policy, configs, opened, setConfigs }} />
      <LimitFields {...{ policy, hasSessions }} />
      {fault !== undefined && <p role="alert">{fault}</p>}
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

interface DowngradeFieldsProps {
  readonly policy: QuotaPolicy
  readonly configs: FormConfig[]
  readonly opened: FormConfig[]
  readonly setConfigs: (configs: FormConfig[]) => void
}

function DowngradeFields({ policy, configs, opened, setConfigs }: DowngradeFieldsProps) {
  const { downgrade_to } = policy
  const [first] = useState(() => (typeof downgrade_to === 'string' ? chosenConfig(downgrade_to, opened) : USUAL))
  const [usual, setUsual] = useState(first)
  const rename = (id: number, name: string): void =>
    setConfigs(configs.map((config) => (config.id === id ? { ...config, name } : config)))
  return (
    <>
      <fieldset class="config" aria-label="What a downgrade leaves">
        <ConfigChoice
          label="A downgrade leaves"
          {...{ name: 'usual', first, configs }}
          usual="what is set here"
          onChoose={setUsual}
        />
        {usual === USUAL && (
          <ConfigFields prefix="usual" config={typeof downgrade_to === 'string' ? {} : downgrade_to} />
        )}
      </fieldset>
      {configs.map(({ id, name, config }) => (
        <fieldset key={id} class="config" aria-label={`Named config ${name}`}>
          <label>
            Name
            <input
              name={`${configField(id)}-name`}
              required
              maxLength={64}
              value={name}
              onInput={(event) => rename(id, event.currentTarget.value)}
            />
          </label>
          <ConfigFields prefix={configField(id)} config={config} />
          <button type="button" class="link" onClick={() => setConfigs(configs.filter((one) => one.id !== id))}>
            Remove
          </button>
        </fieldset>
      ))}
      <button
        type="button"
        onClick={() => setConfigs([...configs, { id: nextIdOf([...opened, ...configs]), name: '', config: {} }])}
      >
        Add a named config
      </button>
    </>
  )
}

const LimitFields = ({ policy, hasSessions }: Pick<PolicyFormProps, 'policy' | 'hasSessions'>) => (
  <>
    <label>
      Cost limit of a period in US dollars (empty: none)
      <input name="max_cost_usd" inputMode="decimal" {...AMOUNTS.at_usd} defaultValue={policy.max_cost_usd ?? ''} />
    </label>
    {hasSessions && (
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
    )}
  </>
)
