import type { QuotaPolicy } from '@tollgate/shared/contracts'
import { DEFAULT_QUOTA_POLICY } from '@tollgate/shared/quota/for-pages'
import { useState } from 'preact/hooks'
import type { Me, QuotaRow } from '../data/reports.ts'
import type { TokenApi } from '../data/token-api.ts'
import { formatCount, formatMoney } from '../figures/format.ts'
import { tellPolicyConsequence } from '../figures/policy-consequence.ts'
import { describeAmount } from '../figures/policy-form.ts'
import { describeReduction } from '../figures/reduced-config.ts'
import { useAct } from './act.tsx'
import { PolicyForm } from './policy-form.tsx'
import { Card, StateBadge } from './states.tsx'
import { useFocusMoves } from './use-focus-moves.ts'

interface PolicyCardProps {
  readonly api: TokenApi
  readonly self: Me
  readonly position: QuotaRow
  readonly onChanged: () => void
}

// What the focus is handed on to.
const FIELD = 'field'
const BUTTON = 'button'

/** The ladder of steps; the platform's staff may change it, an organization's own admin sees it. */
export function PolicyCard({ api, self, position, onChanged }: PolicyCardProps) {
  // The version that the form was opened with: what somebody else puts into force meanwhile is not overwritten unseen.
  const [edited, setEdited] = useState<{ readonly version: number }>()
  const focus = useFocusMoves()
  const leave = (): void => {
    focus.want(BUTTON)
    setEdited(undefined)
  }
  const act = useAct(() => {
    leave()
    onChanged()
  })
  const edit = (): void => {
    focus.want(FIELD)
    setEdited({ version: Number(position.policy_version) })
  }
  const policy = position.policy ?? DEFAULT_QUOTA_POLICY
  return (
    <Card title="Policy">
      {position.policy === null && <p class="quiet">The default ladder: nobody chose another one.</p>}
      {edited !== undefined ? (
        <PolicyForm
          {...{ policy, act }}
          question={`Put this policy into force for ${position.name}? It is evaluated at once.`}
          tellConsequence={(next) => tellPolicyConsequence(next, position)}
          hasSessions
          save={(next) => api.setPolicy(position.organization_id, edited.version, next)}
          fieldRef={focus.place(FIELD)}
          onCancel={leave}
        />
      ) : (
        <>
          <Ladder policy={policy} />
          <p class="quiet">
            {policy.session_max_tokens
              ? `A chat session may hold ${formatCount(String(policy.session_max_tokens))} LLM tokens.`
              : 'No limit of chat sessions.'}
          </p>
          {self.role === 'super_admin' ? (
            <button type="button" ref={focus.place(BUTTON)} onClick={edit}>
              Change policy
            </button>
          ) : (
            <p class="quiet">Changing it is for the platform’s staff.</p>
          )}
        </>
      )}
      {act.view}
    </Card>
  )
}

/** A policy as it is read: its steps, what a downgrade leaves, the cost limit. */
export const Ladder = ({ policy }: { readonly policy: QuotaPolicy }) => (
  <>
    <ul class="ladder">
      {policy.steps.map((step) => (
        <li key={JSON.stringify(step)}>
          <span>{describeAmount(step)}</span> <StateBadge state={step.state} />
          {step.mode === 'soft' && ' only recorded and notified'}
          {step.grace_seconds !== undefined && ` after ${formatCount(String(step.grace_seconds))} s`}
          {step.downgrade_to !== undefined && ` leaves ${describeReduction(step.downgrade_to)}`}
        </li>
      ))}
    </ul>
    <p class="quiet">
      A downgrade leaves {describeReduction(policy.downgrade_to)}.
      {Object.entries(policy.reduced_configs ?? {}).map(
        ([name, config]) => ` “${name}” leaves ${describeReduction(config)}.`,
      )}{' '}
      {policy.max_cost_usd ? `Cost limit ${formatMoney(policy.max_cost_usd)} a period.` : 'No cost limit.'}
    </p>
  </>
)
