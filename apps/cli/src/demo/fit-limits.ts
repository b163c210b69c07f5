import { type DemoContext, waitUntil } from './demo-context.ts'
import { findCrossing, tokensToAdd } from './find-crossings.ts'
import { formatCount } from './format.ts'
import type { ReplayPlan, Tenant } from './plan-replay.ts'
import { hasReached, limitFor } from './quota.ts'
import { isEvaluationDue } from './read-decisions.ts'

/** A limit that was set for a short replay, to be put back. */
export interface FittedLimit {
  readonly organizationId: string
  readonly domain: string
  readonly formerLimit: number | null
  readonly limit: number
}

const SETTLE_MS = 10_000

const waitForEnforcer = (context: DemoContext, organizationIds: readonly string[]): Promise<boolean> =>
  waitUntil(context, async () => !(await isEvaluationDue(context.pool, organizationIds)), SETTLE_MS)

/** The limit with which a short replay ends where the storyline says; null when it already does, or can not. */
async function chooseLimit(
  context: DemoContext,
  plan: ReplayPlan,
  tenant: Tenant,
  isKnown: (id: string) => boolean,
): Promise<FittedLimit | null> {
  const { organizationId, domain, storyline } = tenant
  const { crossing, shortEndsAtPercent } = storyline
  const added = tokensToAdd(plan.batches, organizationId, isKnown)
  if (!crossing || shortEndsAtPercent === null || added === 0n) return null
  const { limit: formerLimit, used: usedNow } = await context.quota.read(organizationId)
  const used = BigInt(usedNow)
  const wish = { organizationId, used, limit: formerLimit, atPercent: crossing.atPercent }
  if (findCrossing(plan.batches, wish, isKnown) !== null) return null
  const limit = limitFor(used + added, shortEndsAtPercent)
  return hasReached(used, limit, crossing.atPercent) ? null : { organizationId, domain, formerLimit, limit }
}

/** Chooses the limits for a short replay; sets none. */
export async function chooseLimits(
  context: DemoContext,
  plan: ReplayPlan,
  tenants: readonly Tenant[],
  isKnown: (id: string) => boolean,
): Promise<FittedLimit[]> {
  const limits = await Promise.all(tenants.map((tenant) => chooseLimit(context, plan, tenant, isKnown)))
  return limits.filter((limit) => limit !== null)
}

/** Sets the chosen limits through the quota API, and waits until the enforcer has taken note. */
export async function setLimits(context: DemoContext, limits: readonly FittedLimit[]): Promise<void> {
  for (const { organizationId, domain, formerLimit, limit } of limits) {
    await context.quota.setLimit(organizationId, limit)
    const former = formerLimit === null ? 'unlimited' : formatCount(formerLimit)
    context.report({
      kind: 'note',
      text: `Limit of ${domain} set from ${former} to ${formatCount(limit)} LLM tokens, to fit the short replay.`,
    })
  }
  if (limits.length > 0)
    await waitForEnforcer(
      context,
      limits.map(({ organizationId }) => organizationId),
    )
}

/** Puts the former limits back and shows the access that comes with them. */
export async function restoreLimits(context: DemoContext, limits: readonly FittedLimit[]): Promise<void> {
  for (const { organizationId, formerLimit } of limits) await context.quota.setLimit(organizationId, formerLimit)
  if (limits.length > 0)
    await waitForEnforcer(
      context,
      limits.map(({ organizationId }) => organizationId),
    )
  for (const { organizationId, domain } of limits) {
    const { limit, state } = await context.quota.read(organizationId)
    const text = `Limit of ${domain} put back to ${limit === null ? 'unlimited' : formatCount(limit)}: it is ${state} again.`
    context.report({ kind: 'note', text })
  }
}
