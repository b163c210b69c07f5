import type { EnforcementState, RefusalReason } from '@tollgate/shared/contracts'
import type { Weighted } from './random.ts'

/** A model as an event names it. */
export interface DemoModel {
  readonly provider: string
  readonly model: string
}

/** What the trace is to show with one demo organization. */
export interface Storyline {
  readonly domain: string
  /** Part of the trace's requests, of 1. Chosen against the seeded limits, with several standard deviations to spare. */
  readonly share: number
  readonly models: readonly Weighted<DemoModel>[]
  /** Where the organization's state ends. */
  readonly ends: EnforcementState
  /** What is measured: reaching `atPercent` of the limit, until verify refuses with `reason`. Null: nothing is refused. */
  readonly crossing: { readonly atPercent: number; readonly reason: RefusalReason } | null
  /** Percent of the limit at the end of a short replay, which sets the limit to fit; null leaves the limit alone. */
  readonly shortEndsAtPercent: number | null
}

const gpt4o: DemoModel = { provider: 'openai', model: 'gpt-4o' }
const gpt4oMini: DemoModel = { provider: 'openai', model: 'gpt-4o-mini' }
const claude: DemoModel = { provider: 'anthropic', model: 'claude-sonnet-4-5' }
const gemini: DemoModel = { provider: 'google', model: 'gemini-2.5-pro' }
/** In no price book: its cost is unknown, and has to be shown so. */
const internal: DemoModel = { provider: 'acme', model: 'acme-internal-llm' }

/** The three demo organizations (infra/local-stack seeds them) and their parts in the demo. */
export const STORYLINES: readonly Storyline[] = [
  {
    domain: 'acme-research',
    share: 0.462,
    models: [
      { weight: 40, value: gpt4o },
      { weight: 20, value: gpt4oMini },
      { weight: 22, value: claude },
      { weight: 13, value: gemini },
      { weight: 5, value: internal },
    ],
    ends: 'active',
    crossing: null,
    shortEndsAtPercent: null,
  },
  {
    domain: 'borealis-labs',
    share: 0.333,
    models: [
      { weight: 45, value: gpt4o },
      { weight: 55, value: gpt4oMini },
    ],
    ends: 'downgraded',
    crossing: { atPercent: 100, reason: 'superseded' },
    shortEndsAtPercent: 110,
  },
  {
    domain: 'cobalt-support',
    share: 0.205,
    models: [{ weight: 1, value: gpt4oMini }],
    ends: 'revoked',
    crossing: { atPercent: 120, reason: 'organization_revoked' },
    shortEndsAtPercent: 135,
  },
]
