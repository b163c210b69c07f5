import { type QuotaPolicy, quotaPolicy } from '@tollgate/shared/contracts'
import { expect, it } from 'vitest'
import { AMOUNTS, chosenConfig, describePolicy, readPolicyForm, toFields, toFormConfigs } from './policy-form.ts'
import { writeNames } from './reduced-config.ts'

const policy: QuotaPolicy = {
  steps: [
    { at_percent: 80, state: 'warned' },
    { at_tokens: 5_000_000, state: 'downgraded', downgrade_to: 'small models', grace_seconds: 120 },
    { at_percent: 90, state: 'downgraded', downgrade_to: 'of the plan' },
    { at_percent: 95, state: 'downgraded', downgrade_to: { enabled_models: [] } },
    { at_usd: '500.5', state: 'revoked', mode: 'soft' },
  ],
  downgrade_to: { features: { file_upload: false }, enabled_models: ['gpt-4o-mini'] },
  reduced_configs: { 'small models': { enabled_models: ['gpt-4o-mini'] }, reading: { allowed_endpoints: [] } },
  max_cost_usd: '750',
  session_max_tokens: 200_000,
}

const before = { policy, steps: policy.steps, configs: toFormConfigs(policy) }

/** What a browser sends of the form that shows a policy. */
function formOf({ steps, downgrade_to, max_cost_usd, session_max_tokens }: QuotaPolicy): FormData {
  const form = new FormData()
  for (const step of steps) {
    const { kind, amount, state, mode, grace } = toFields(step)
    const leaves = chosenConfig(step.downgrade_to, before.configs)
    for (const [name, value] of Object.entries({ kind, amount, state, mode, grace, leaves })) form.append(name, value)
  }
  const shown = before.configs.map(({ id, name, config }) => ({ field: `config-${id}`, name, config }))
  const usual = typeof downgrade_to === 'string' ? [] : [{ field: 'usual', name: '', config: downgrade_to }]
  for (const { field, name, config } of [...shown, ...usual]) {
    form.set(`${field}-name`, name)
    form.set(`${field}-models`, writeNames(config.enabled_models))
    form.set(`${field}-endpoints`, writeNames(config.allowed_endpoints))
    for (const [feature, isOn] of Object.entries(config.features ?? {})) if (!isOn) form.append(`${field}-off`, feature)
  }
  form.set('usual', typeof downgrade_to === 'string' ? chosenConfig(downgrade_to, before.configs) : '')
  form.set('max_cost_usd', max_cost_usd ?? '')
  form.set('session_max_tokens', session_max_tokens?.toString() ?? '')
  return form
}

it('a form that nobody touched says the policy that it was filled from, with all that it does not show', () => {
  expect(readPolicyForm(formOf(policy), before)).toEqual(policy)
})

it('what a form says is a policy that the token API takes', () => {
  const form = formOf(policy)
  form.append('kind', 'at_percent')
  form.append('amount', '95')
  form.append('state', 'downgraded')
  form.append('mode', 'hard')
  form.append('grace', '')
  const read = readPolicyForm(form, { ...before, steps: [...policy.steps, undefined] })
  expect(quotaPolicy.parse(read).steps.at(-1)).toEqual({ at_percent: 95, state: 'downgraded' })
})

it('a decimal is no amount of a step in percent or LLM tokens, and never one that is ten times as high', () => {
  for (const kind of ['at_percent', 'at_tokens'] as const) {
    expect(new RegExp(`^(?:${AMOUNTS[kind].pattern})$`, 'v').test('99.5')).toBe(false)
    const form = formOf(policy)
    form.append('kind', kind)
    form.append('amount', '99.5')
    expect(() => readPolicyForm(form, before)).toThrow(RangeError)
  }
})

it('a config that is renamed goes on to be what its steps leave; one name is not given twice', () => {
  const form = formOf(policy)
  form.set('config-0-name', 'mini')
  form.set('usual', 'config-1')
  const read = readPolicyForm(form, before)
  expect(read.steps[1]).toMatchObject({ downgrade_to: 'mini' })
  expect(read).toMatchObject({
    downgrade_to: 'reading',
    reduced_configs: { mini: { enabled_models: ['gpt-4o-mini'] } },
  })
  expect(readPolicyForm(formOf({ ...policy, downgrade_to: 'reading' }), before).downgrade_to).toBe('reading')
  form.set('config-1-name', 'mini')
  expect(() => readPolicyForm(form, before)).toThrow(RangeError)
})

it('all of a policy is told in words before it comes into force', () => {
  expect(describePolicy(policy)).toEqual([
    'From 80 % of the limit: warned',
    'From 5,000,000 LLM tokens: downgraded, after 120 s, leaves “small models”',
    'From 90 % of the limit: downgraded, leaves “of the plan”',
    'From 95 % of the limit: downgraded, leaves no model',
    'From $500.50: revoked, only recorded and notified',
    'A downgrade leaves of the models gpt-4o-mini; no file upload',
    '“small models” leaves of the models gpt-4o-mini',
    '“reading” leaves no endpoint',
    'Cost limit $750.00 a period',
  ])
})
