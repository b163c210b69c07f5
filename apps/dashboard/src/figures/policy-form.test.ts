import { DEFAULT_QUOTA_POLICY, type QuotaPolicy, quotaPolicy } from '@tollgate/shared/contracts'
import { expect, it } from 'vitest'
import { AMOUNTS, DEFAULT_POLICY, describeStep, readPolicyForm, toFields } from './policy-form.ts'

const policy: QuotaPolicy = {
  steps: [
    { at_percent: 80, state: 'warned' },
    { at_tokens: 5_000_000, state: 'downgraded', downgrade_to: 'small models', grace_seconds: 120 },
    { at_usd: '500.5', state: 'revoked', mode: 'soft' },
  ],
  downgrade_to: { features: { file_upload: false }, enabled_models: ['gpt-4o-mini'] },
  reduced_configs: { 'small models': { enabled_models: ['gpt-4o-mini'] } },
  max_cost_usd: '750',
  session_max_tokens: 200_000,
}

function formOf({ steps, downgrade_to, max_cost_usd, session_max_tokens }: QuotaPolicy): FormData {
  const form = new FormData()
  for (const { kind, amount, state, mode, grace } of steps.map(toFields)) {
    for (const [name, value] of Object.entries({ kind, amount, state, mode, grace })) form.append(name, value)
  }
  form.set('models', typeof downgrade_to === 'string' ? '' : (downgrade_to.enabled_models?.join(', ') ?? ''))
  form.set('max_cost_usd', max_cost_usd ?? '')
  form.set('session_max_tokens', session_max_tokens?.toString() ?? '')
  return form
}

it('a form that nobody touched says the policy that it was filled from, with all that it does not show', () => {
  expect(readPolicyForm(formOf(policy), policy, policy.steps)).toEqual(policy)
})

it('what a form says is a policy that the token API takes', () => {
  const form = formOf(policy)
  form.append('kind', 'at_percent')
  form.append('amount', '95')
  form.append('state', 'downgraded')
  form.append('mode', 'hard')
  form.append('grace', '')
  const read = readPolicyForm(form, policy, [...policy.steps, undefined])
  expect(quotaPolicy.parse(read).steps.at(-1)).toEqual({ at_percent: 95, state: 'downgraded' })
})

it('a decimal is no amount of a step in percent or LLM tokens, and never one that is ten times as high', () => {
  for (const kind of ['at_percent', 'at_tokens'] as const) {
    expect(new RegExp(`^(?:${AMOUNTS[kind].pattern})$`, 'v').test('99.5')).toBe(false)
    const form = formOf(policy)
    form.append('kind', kind)
    form.append('amount', '99.5')
    expect(() => readPolicyForm(form, policy, policy.steps)).toThrow(RangeError)
  }
})

it('each step is told in words before it comes into force', () => {
  expect(policy.steps.map(describeStep)).toEqual([
    'From 80 % of the limit: warned',
    'From 5,000,000 LLM tokens: downgraded, after 120 s',
    'From $500.50: revoked, only recorded and notified',
  ])
})

it('the default is that of the contract', () => {
  expect(DEFAULT_POLICY).toEqual(DEFAULT_QUOTA_POLICY)
})
