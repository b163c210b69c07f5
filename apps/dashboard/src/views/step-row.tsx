import type { QuotaStep } from '@tollgate/shared/contracts'
import { useState } from 'preact/hooks'
import {
  AMOUNTS,
  chosenConfig,
  type FormConfig,
  readStepKind,
  readStepState,
  STEP_KINDS,
  STEP_STATES,
  toFields,
} from '../figures/policy-form.ts'
import { ConfigChoice } from './config-choice.tsx'

const NEW_STEP: QuotaStep = { at_percent: 100, state: 'warned' }

interface StepRowProps {
  /** Undefined: a new one. */
  readonly step: QuotaStep | undefined
  /** The named configs of the form, as they are called now. */
  readonly configs: readonly FormConfig[]
  readonly opened: readonly FormConfig[]
  readonly onRemove: () => void
}

/** The fields of one step of a ladder. */
export function StepRow({ step, configs, opened, onRemove }: StepRowProps) {
  const fields = toFields(step ?? NEW_STEP)
  const [kind, setKind] = useState(fields.kind)
  const [state, setState] = useState(fields.state)
  const [first] = useState(() => chosenConfig(step?.downgrade_to, opened))
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
        <select name="state" onChange={(event) => setState(readStepState(event.currentTarget.value))}>
          {STEP_STATES.map((each) => (
            <option key={each} value={each} selected={each === state}>
              {each}
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
      {state === 'downgraded' ? (
        <ConfigChoice label="Leaves" name="leaves" first={first} usual="the usual" configs={configs} />
      ) : (
        <input type="hidden" name="leaves" value="" />
      )}
      <button type="button" class="link" onClick={onRemove}>
        Remove
      </button>
    </fieldset>
  )
}
