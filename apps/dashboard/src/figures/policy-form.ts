import type { QuotaPolicy, QuotaStep, ReducedConfig } from '@tollgate/shared/contracts'
import { COUNT_PATTERN, COUNT_TITLE, formatCount, formatMoney, readCount } from './format.ts'
import { describeReduction, readReducedConfig } from './reduced-config.ts'

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

/** What a form says that a step leads to. */
export const readStepState = (value: string | undefined): QuotaStep['state'] =>
  STEP_STATES.find((state) => state === value) ?? 'warned'

/** A named config of a form, by the number that its fields bear. */
export interface FormConfig {
  readonly id: number
  readonly name: string
  readonly config: ReducedConfig
}

/** The named configs of a policy as a form shows them. */
export const toFormConfigs = ({ reduced_configs = {} }: QuotaPolicy): FormConfig[] =>
  Object.entries(reduced_configs).map(([name, config], id) => ({ id, name, config }))

/** Prefix of the fields of a named config, and the value of a choice that means it. */
export const configField = (id: number): string => `config-${id}`

/** The value of a choice that means no config of this form: the policy's usual one, or the step's own. */
export const USUAL = ''
const OWN = 'own'
const FOREIGN = 'name:'

/** What is chosen where a policy or step says this; a name that is none of the form's own may be the plan's. */
export function chosenConfig(reduction: ReducedConfig | string | undefined, configs: readonly FormConfig[]): string {
  if (reduction === undefined) return USUAL
  if (typeof reduction !== 'string') return OWN
  const known = configs.find(({ name }) => name === reduction)
  return known === undefined ? `${FOREIGN}${reduction}` : configField(known.id)
}

/** How a choice is called that the form's own configs do not explain; undefined for one that they do. */
export const tellForeign = (choice: string): string | undefined =>
  choice === OWN ? 'its own, as it is' : choice.startsWith(FOREIGN) ? choice.slice(FOREIGN.length) : undefined

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
function describeStep(step: QuotaStep): string {
  const { mode, grace_seconds } = step
  const soft = mode === 'soft' ? ', only recorded and notified' : ''
  const grace = grace_seconds === undefined ? '' : `, after ${formatCount(String(grace_seconds))} s`
  const leaves = step.downgrade_to === undefined ? '' : `, leaves ${describeReduction(step.downgrade_to)}`
  return `${describeAmount(step)}: ${step.state}${soft}${grace}${leaves}`
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

/** A whole policy in words, a line each. */
export function describePolicy(policy: QuotaPolicy): string[] {
  const named = Object.entries(policy.reduced_configs ?? {})
  return [
    ...policy.steps.map(describeStep),
    `A downgrade leaves ${describeReduction(policy.downgrade_to)}`,
    ...named.map(([name, config]) => `“${name}” leaves ${describeReduction(config)}`),
    policy.max_cost_usd ? `Cost limit ${formatMoney(policy.max_cost_usd)} a period` : 'No cost limit',
  ]
}

/** What a form was filled from. */
export interface PolicyBefore {
  readonly policy: QuotaPolicy
  /** What row n of the steps showed; undefined for a new one. */
  readonly steps: readonly (QuotaStep | undefined)[]
  readonly configs: readonly FormConfig[]
}

/**
 * The policy that a form says; what it does not show stays as it was.
 * @throws RangeError for what is no count, and for a name that two configs have
 */
export function readPolicyForm(form: FormData, before: PolicyBefore): QuotaPolicy {
  const { policy } = before
  const { reduced_configs: _, ...rest } = policy
  const named = readConfigs(form, before.configs)
  const usual = readChoice(form.get('usual'), named, policy.downgrade_to)
  const inline = typeof policy.downgrade_to === 'string' ? {} : policy.downgrade_to
  return {
    ...rest,
    steps: readSteps(form, before.steps, named),
    downgrade_to: usual ?? readReducedConfig(form, 'usual', inline),
    ...(named.size === 0 && policy.reduced_configs === undefined
      ? {}
      : { reduced_configs: Object.fromEntries([...named.values()].map(({ name, config }) => [name, config])) }),
    max_cost_usd: String(form.get('max_cost_usd') ?? '').trim() || null,
    ...(form.has('session_max_tokens') ? { session_max_tokens: readCount(form.get('session_max_tokens')) } : {}),
  }
}

type Named = ReadonlyMap<string, { readonly name: string; readonly config: ReducedConfig }>

function readConfigs(form: FormData, configs: readonly FormConfig[]): Named {
  const named = new Map<string, { name: string; config: ReducedConfig }>()
  for (const { id, config } of configs) {
    const field = configField(id)
    const name = String(form.get(`${field}-name`) ?? '').trim()
    if ([...named.values()].some((one) => one.name === name)) throw new RangeError(`Two configs are called “${name}”.`)
    named.set(field, { name, config: readReducedConfig(form, field, config) })
  }
  return named
}

// Undefined: the usual one.
function readChoice(
  chosen: File | string | null | undefined,
  named: Named,
  before: ReducedConfig | string | undefined,
): ReducedConfig | string | undefined {
  const value = String(chosen ?? USUAL)
  if (value === OWN) return before
  if (value.startsWith(FOREIGN)) return value.slice(FOREIGN.length)
  return named.get(value)?.name
}

function readSteps(form: FormData, before: PolicyBefore['steps'], named: Named): QuotaStep[] {
  const column = (name: string): string[] => form.getAll(name).map(String)
  const [kinds, amounts, states] = [column('kind'), column('amount'), column('state')]
  const [modes, graces, choices] = [column('mode'), column('grace'), column('leaves')]
  return kinds.map((kind, row) => {
    const state = readStepState(states[row])
    const grace = readCount(graces[row] ?? null)
    const leaves = state === 'downgraded' ? readChoice(choices[row], named, before[row]?.downgrade_to) : undefined
    return {
      ...readAmount(readStepKind(kind), amounts[row] ?? ''),
      state,
      ...(modes[row] === 'soft' ? { mode: 'soft' as const } : {}),
      ...(grace ? { grace_seconds: grace } : {}),
      ...(leaves === undefined ? {} : { downgrade_to: leaves }),
    }
  })
}

function readAmount(kind: StepKind, amount: string) {
  switch (kind) {
    case 'at_percent':
      return { at_percent: readCount(amount) ?? 0 }
    case 'at_tokens':
      return { at_tokens: readCount(amount) ?? 0 }
    case 'at_usd':
      return { at_usd: amount.trim() }
  }
}
