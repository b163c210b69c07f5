import type { QuotaReport } from '@tollgate/shared/contracts'
import type { DemoContext } from './demo-context.ts'
import { formatCount, formatMs, formatPercent } from './format.ts'
import type { Tenant } from './plan-replay.ts'
import { issueToken, signIn, type TokenAnswer } from './sign-in.ts'
import { type GateWatch, type VerifyAnswer, verifyToken, watchGate } from './watch-gate.ts'

/** An organization before the replay, with a user signed in. */
export interface Gate {
  readonly tenant: Tenant
  readonly quota: QuotaReport
  readonly supabaseToken: string
  /** A token, unless the organization is closed already. */
  readonly login: TokenAnswer
  /** What verify says of the token; null without one. */
  readonly verified: VerifyAnswer | null
}

/** A poll lasts a millisecond or two; this keeps three of them far below what one core carries. */
export const POLL_MS = 25

/** Signs the watched user of an organization in and asks verify about the token. */
export async function openGate(context: DemoContext, tenant: Tenant): Promise<Gate> {
  const { stack, request, report } = context
  const quota = await context.quota.read(tenant.organizationId)
  const supabaseToken = await signIn(stack.supabase, tenant.watched.email, tenant.watched.password)
  const login = await issueToken(request, stack.tokenApi, supabaseToken)
  const verified = login.kind === 'issued' ? await verifyToken(request, stack.tokenApi, login.token) : null
  const limit = quota.limit === null ? 'no limit' : formatCount(quota.limit)
  const said = verified ? `verify answers ${verified.status}` : 'its login is refused'
  const share = formatPercent(quota.used, quota.limit)
  const text = `Before: ${tenant.domain} is ${quota.state} (${formatCount(quota.used)} of ${limit}, ${share}); ${said}.`
  report({ kind: 'note', text })
  return { tenant, quota, supabaseToken, login, verified }
}

/** Watches the gate of an organization with the token of its user; null when there is no token to watch with. */
export function watchTenant(context: DemoContext, gate: Gate): GateWatch | null {
  const { stack, request, now, sleep, report } = context
  const { tenant, login } = gate
  if (login.kind !== 'issued') return null
  const began = now()
  return watchGate({
    verify: (token) => verifyToken(request, stack.tokenApi, token),
    token: login.token,
    awaits: tenant.storyline.crossing?.reason ?? null,
    renew: async () => {
      const renewed = await issueToken(request, stack.tokenApi, gate.supabaseToken)
      return renewed.kind === 'issued' ? renewed.token : null
    },
    now,
    sleep,
    intervalMs: POLL_MS,
    onAwaited: ({ status, reason, answeredAtMs }) => {
      const after = formatMs(answeredAtMs - began)
      report({
        kind: 'note',
        text: `Gate:   ${tenant.domain}'s token is refused now: ${status} ${reason}, ${after} into the replay.`,
      })
    },
  })
}
