import { randomUUID } from 'node:crypto'
import type { Act } from '@tollgate/shared/testing'
import { z } from 'zod'
import { ChaosError } from '../chaos-error.ts'
import { type LoadContext, patiently, pause } from './load-context.ts'

interface Grant {
  readonly id: string
  readonly amount: number
}

/** What an organization was told, as far as its state follows from it. */
export interface OrganizationTerms {
  readonly id: string
  limit: number | null
  /** LLM tokens of grants that do not expire. */
  granted: number
  /** Of them, those that may still be voided. */
  readonly grants: Grant[]
  act: Act['kind'] | null
}

const ACTS = ['revoke', 'downgrade', 'exempt', null] as const
const EXEMPT_MS = 86_400_000
const PAUSE_MS = 2_500
const REQUEST_MS = 10_000

/** The operator: changes limits, gives and voids grants, and orders enforcement by hand, one thing after the other. */
export async function runOperator(context: LoadContext, organizations: readonly OrganizationTerms[]): Promise<void> {
  const { random, stopping, count } = context
  while (!stopping.aborted) {
    const terms = random.oneOf(organizations)
    const what = random.between(1, 4)
    if (what === 1) {
      terms.limit = terms.limit === null ? null : Math.round(terms.limit * random.oneOf([0.8, 1, 1.3]))
      await sayLimit(context, terms)
      count('limits changed')
    } else if (what === 2) {
      await give(context, terms)
      count('grants')
    } else if (what === 3) {
      if (await voidOne(context, terms)) count('grants voided')
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

async function give(context: LoadContext, terms: OrganizationTerms): Promise<void> {
  const amount = context.random.between(1_000, 50_000)
  const body = { amount, reason: 'chaos', idempotency_key: randomUUID() }
  const { id } = await order(context, 'POST', `/v1/organizations/${terms.id}/grants`, body, given)
  terms.granted += amount
  terms.grants.push({ id, amount })
}

/** Takes back what a grant has left: what it gave goes on to add to the limit. Says whether there was one. */
async function voidOne(context: LoadContext, terms: OrganizationTerms): Promise<boolean> {
  const grant = terms.grants.shift()
  if (grant === undefined) return false
  const path = `/v1/organizations/${terms.id}/grants/${grant.id}/void`
  const { spent } = await order(context, 'POST', path, { reason: 'chaos' }, voided)
  terms.granted -= grant.amount - spent
  return true
}

const given = z.object({ id: z.uuid() })
const voided = z.object({ spent: z.number() })

function sayLimit(context: LoadContext, { id, limit }: OrganizationTerms): Promise<unknown> {
  return order(context, 'PUT', `/v1/organizations/${id}/quota`, { limit }, z.unknown())
}

function sayAct(context: LoadContext, { id, act }: OrganizationTerms): Promise<unknown> {
  const until = act === 'exempt' ? { until: new Date(Date.now() + EXEMPT_MS).toISOString() } : {}
  const body = { action: act ?? 'clear', reason: 'chaos', ...until }
  return order(context, 'POST', `/v1/organizations/${id}/enforcement`, body, z.unknown())
}

/** Repeats a request until it is answered with success; gives the answer. */
async function order<Answer>(
  context: LoadContext,
  method: string,
  path: string,
  body: object,
  answer: z.ZodType<Answer>,
): Promise<Answer> {
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
    return answer.parse(JSON.parse(text))
  }
  return patiently(context, `${method} by the operator`, attempt)
}
