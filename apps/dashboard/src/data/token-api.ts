import type { SupabaseClient } from '@supabase/supabase-js'
import type { QuotaPolicy } from '@tollgate/shared/contracts'

/** Changes go through the token API, which decides what the signed-in user may do. All throw Error with its explanation. */
export interface TokenApi {
  /** Sets the monthly limit in LLM tokens; null is unlimited. */
  setLimit(organizationId: string, limit: number | null): Promise<void>
  /** Sets the ladder and leaves the limit alone; refused where it is no longer the ladder of this version. */
  setPolicy(organizationId: string, version: number, policy: QuotaPolicy): Promise<void>
  /** Sets a user's own limit; null is none. */
  setUserLimit(organizationId: string, userId: string, limit: number | null): Promise<void>
  /** Drops a user's own limit: the default for users holds again. */
  dropUserLimit(organizationId: string, userId: string): Promise<void>
  /** Sets what holds for each user without an own limit; refused where it is no longer the default of this version. */
  setUserDefault(organizationId: string, version: number, change: UserDefaultChange): Promise<void>
  /** Adds LLM tokens to the limit. Its idempotency key makes a repeat harmless. */
  grant(organizationId: string, grant: GrantOrder): Promise<void>
  /** Takes back what a grant has left. */
  voidGrant(organizationId: string, grantId: string, reason: string): Promise<void>
}

/** `limit: null` is none. Without a ladder it stays as it is; `policy: null` leaves the default one. */
export interface UserDefaultChange {
  readonly limit: number | null
  readonly policy?: QuotaPolicy | null
}

/** A grant as it is ordered; without `expires_at` it never expires. */
export interface GrantOrder {
  readonly amount: number
  readonly reason: string
  readonly priority?: number
  readonly expires_at?: string
  readonly idempotency_key: string
}

/** What an answer of the token API may say of a refusal (RFC 9457). */
interface Problem {
  readonly title?: string
  readonly detail?: string
  readonly errors?: readonly { readonly pointer: string; readonly detail: string }[]
}

/** A problem in words, with each field that is at fault; undefined where it says nothing. */
export function tellProblem({ title, detail, errors = [] }: Problem): string | undefined {
  const faults = errors.map((fault) => `${fault.pointer.replace(/^#\/?/, '') || 'the request'}: ${fault.detail}`)
  const told = [detail ?? title, faults.join('; ')].filter((part) => part !== undefined && part !== '')
  return told.length === 0 ? undefined : told.join(' ')
}

/** Binds the changes to the user's own Supabase token, fetched anew for each. */
export function createTokenApi(url: string, client: SupabaseClient): TokenApi {
  async function send(method: string, path: string, body?: unknown): Promise<void> {
    const { data } = await client.auth.getSession()
    const answer = await fetch(`${url}/v1/organizations/${path}`, {
      method,
      headers: {
        authorization: `Bearer ${data.session?.access_token ?? ''}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    if (answer.ok) return
    const problem = (await answer.json().catch(() => ({}))) as Problem
    throw new Error(tellProblem(problem) ?? `The token API answered ${answer.status}.`)
  }
  return {
    setLimit: (organizationId, limit) => send('PUT', `${organizationId}/quota`, { limit }),
    setPolicy: (organizationId, policy_version, policy) =>
      send('PUT', `${organizationId}/quota`, { policy, policy_version }),
    setUserLimit: (organizationId, userId, limit) => send('PUT', `${organizationId}/users/${userId}/quota`, { limit }),
    dropUserLimit: (organizationId, userId) => send('DELETE', `${organizationId}/users/${userId}/quota`),
    setUserDefault: (organizationId, version, change) =>
      send('PUT', `${organizationId}/users/default/quota`, { ...change, version }),
    grant: (organizationId, grant) => send('POST', `${organizationId}/grants`, grant),
    voidGrant: (organizationId, grantId, reason) =>
      send('POST', `${organizationId}/grants/${grantId}/void`, { reason }),
  }
}
