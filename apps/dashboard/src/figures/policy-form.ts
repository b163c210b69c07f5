import type { QuotaPolicy, QuotaStep } from '@tollgate/shared/contracts'
import { COUNT_PATTERN, COUNT_TITLE, formatCount, formatMoney, readCount } from './format.ts'

/** What holds where nobody chose, as DEFAULT_QUOTA_POLICY; a test compares the two. */
export const DEFAULT_POLICY: QuotaPolicy = {
  steps: [
    { at_percent: 50, state: 'warned' },
    { at_percent: 80, state: 'warned' },
    { at_percent: 90, state: 'warned' },
    { at_percent: 100, state: 'downgraded' },
    { at_percent: 120, state: 'revoked' },
  ],
  downgrade_to: {
    features: { file_upload: false, image_generation: false, voice_chat: false, code_interpreter: false },
  },
}

/** How a step's amount is counted. */
export const STEP_KINDS = { at_percent: '% of the limit', at_tokens: 'LLM tokens', at_usd: 'US dollars' } as const
export type StepKind = keyof typeof STEP_KINDS

/** What may be typed as a step's amount, by how it is counted. */
export const AMOUNTS: Record<StepKind, { readonly pattern: string; readonly title: string }> = {
  at_percent: { pattern: '[1-9][0-9]{0,2}|1000', title: 'A whole percentage from 1 to 1000' },
  at_tokens: { pattern: COUNT_PATTERN, title: COUNT_TITLE },
  at_usd: { pattern: '[0-9]{1,12}([.][0-9]{1,12})?', title: 'US dollars, such as 750.50' },
}
export const STEP_STATES = ['warned', 'downgraded', 'revoked'] as const

/** What a form says of how a step's amount is counted. */
export const readStepKind = (value: string | undefined): StepKind =>
  value === 'at_tokens' || value === 'at_usd' ? value : 'at_percent'

/** A step as fields of a form. */
export interface StepFields {
  readonly kind: StepKind
  readonly amount: string
  readonly state: QuotaStep['state']
  readonly mode: 'hard' | 'soft'
  readonly grace: string
}

/** The fields that show a step. */
export function toFields(step: QuotaStep): StepFields {
  const [kind, amount]: [StepKind, string | number] =
    'at_percent' in step
      ? ['at_percent', step.at_percent]
      : 'at_tokens' in step
        ? ['at_tokens', step.at_tokens]
        : ['at_usd', step.at_usd]
  const { state, mode = 'hard', grace_seconds = 0 } = step
  return { kind, amount: String(amount), state, mode, grace: String(grace_seconds) }
}

/** A step in words, such as `From 80 % of the limit: warned`. */
export function describeStep(step: QuotaStep): string {
  const { mode, grace_seconds } = step
  const soft = mode === 'soft' ? ', only recorded and notified' : ''
  const grace = grace_seconds === undefined ? '' : `, after ${formatCount(String(grace_seconds))} s`
  return `${describeAmount(step)}: ${step.state}${soft}${grace}`
}

/** From where a step holds, in words. */
export function describeAmount(step: QuotaStep): string {
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

function toStep({ kind, amount, state, mode, grace }: StepFields, before: QuotaStep | undefined): QuotaStep {
  const consequence = {
    state,
    ...(mode === 'soft' ? { mode } : {}),
    ...(readCount(grace) ? { grace_seconds: readCount(grace) ?? 0 } : {}),
    // What the form does not show stays as it is.
    ...(state === 'downgraded' && before?.downgrade_to !== undefined ? { downgrade_to: before.downgrade_to } : {}),
  }
  switch (kind) {
    case 'at_percent':
      return { at_percent: readCount(amount) ?? 0, ...consequence }
    case 'at_tokens':
      return { at_tokens: readCount(amount) ?? 0, ...consequence }
    case 'at_usd':
      return { at_usd: amount.trim(), ...consequence }
  }
}

/**
 * The policy that a form says: its rows of steps, the limit in dollars and that of a chat session. `steps[n]` is what row
 * n showed before, undefined for a new one; all else of `before` stays as it is. @throws RangeError for what is no count
 */
export function readPolicyForm(
  form: FormData,
  before: QuotaPolicy,
  steps: readonly (QuotaStep | undefined)[],
): QuotaPolicy {
  const column = (name: string): string[] => form.getAll(name).map(String)
  const [kinds, amounts, states] = [column('kind'), column('amount'), column('state')]
  const [modes, graces] = [column('mode'), column('grace')]
  const models = String(form.get('models') ?? '')
    .split(',')
    .map((model) => model.trim())
    .filter((model) => model !== '')
  const { enabled_models: _, ...reduced } = typeof before.downgrade_to === 'string' ? {} : before.downgrade_to
  return {
    ...before,
    steps: kinds.map((kind, row) =>
      toStep(
        {
          kind: readStepKind(kind),
          amount: amounts[row] ?? '',
          state: STEP_STATES.find((state) => state === states[row]) ?? 'warned',
          mode: modes[row] === 'soft' ? 'soft' : 'hard',
          grace: graces[row] ?? '',
        },
        steps[row],
      ),
    ),
    downgrade_to:
      typeof before.downgrade_to === 'string'
        ? before.downgrade_to
        : { ...reduced, ...(models.length > 0 ? { enabled_models: models } : {}) },
    max_cost_usd: String(form.get('max_cost_usd') ?? '').trim() || null,
    session_max_tokens: readCount(form.get('session_max_tokens')),
  }
}
