import { randomUUID } from 'node:crypto'
import type { Act } from '@tollgate/shared/testing'
import { ChaosError } from '../chaos-error.ts'
import { type LoadContext, patiently, pause } from './load-context.ts'

/** What an organization was told, as far as its state follows from it. */
export interface OrganizationTerms {
  readonly id: string
  limit: number | null
  /** LLM tokens of grants that do not expire. */
  granted: number
  act: Act['kind'] | null
}

const ACTS = ['revoke', 'downgrade', 'exempt', null] as const
const EXEMPT_MS = 86_400_000
const PAUSE_MS = 2_500
const REQUEST_MS = 10_000

/** The operator: changes limits, gives grants, and orders enforcement by hand, one thing after the other. */
export async function runOperator(context: LoadContext, organizations: readonly OrganizationTerms[]): Promise<void> {
  const { random, stopping, count } = context
  while (!stopping.aborted) {
    const terms = random.oneOf(organizations)
    const what = random.between(1, 3)
    if (what === 1) {
      terms.limit = terms.limit === null ? null : Math.round(terms.limit * random.oneOf([0.8, 1, 1.3]))
      await sayLimit(context, terms)
      count('limits changed')
    } else if (what === 2) {
      const amount = random.between(1_000, 50_000)
      await order(context, 'POST', `/v1/organizations/${terms.id}/grants`, {
        ...{ amount, reason: 'chaos', idempotency_key: randomUUID() },
      })
      terms.granted += amount
      count('grants')
    } else {
      terms.act = random.oneOf(ACTS)
      await sayAct(context, terms)
      count('enforcement orders')
    }
    await pause(PAUSE_MS, stopping)
  }
}

/**
 * Says once more what holds: a request whose answer was lost may have been carried out late, after a newer one. To be called
 * when everything answers.
 */
export async function repeatTerms(context: LoadContext, organizations: readonly OrganizationTerms[]): Promise<void> {
  for (const terms of organizations) {
    await sayLimit(context, terms)
    await sayAct(context, terms)
  }
}

function sayLimit(context: LoadContext, { id, limit }: OrganizationTerms): Promise<void> {
  return order(context, 'PUT', `/v1/organizations/${id}/quota`, { limit })
}

function sayAct(context: LoadContext, { id, act }: OrganizationTerms): Promise<void> {
  const until = act === 'exempt' ? { until: new Date(Date.now() + EXEMPT_MS).toISOString() } : {}
  return order(context, 'POST', `/v1/organizations/${id}/enforcement`, {
    ...{ action: act ?? 'clear', reason: 'chaos' },
    ...until,
  })
}

/** Repeats a request until it is answered with success. */
async function order(context: LoadContext, method: string, path: string, body: object): Promise<void> {
  const { chaos, random } = context
  const { operatorKey } = chaos.stack.describe()
  const attempt = async () => {
    const response = await fetch(random.oneOf(chaos.tokenApis) + path, {
      method,
      headers: { authorization: `Bearer ${operatorKey}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(REQUEST_MS),
    })
    const text = await response.text()
    if (!response.ok) throw new ChaosError(`${method} ${path} answered ${response.status} ${text}`)
  }
  await patiently(context, `${method} by the operator`, attempt)
}
