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
  /** Tops the present period up. Its idempotency key makes a repeat harmless. */
  grant(
    organizationId: string,
    grant: { amount: number; reason: string; expires_at: string; idempotency_key: string },
  ): Promise<void>
}

/** Binds the changes to the user's own Supabase token, fetched anew for each. */
export function createTokenApi(url: string, client: SupabaseClient): TokenApi {
  async function send(method: string, path: string, body: unknown): Promise<void> {
    const { data } = await client.auth.getSession()
    const answer = await fetch(`${url}/v1/organizations/${path}`, {
      method,
      headers: {
        authorization: `Bearer ${data.session?.access_token ?? ''}`,
        'content-type': 'application/json',
      },
      body: JSON.stringify(body),
    })
    if (answer.ok) return
    const problem = await answer.json().catch(() => ({}))
    throw new Error(problem.detail ?? problem.title ?? `The token API answered ${answer.status}.`)
  }
  return {
    setLimit: (organizationId, limit) => send('PUT', `${organizationId}/quota`, { limit }),
    setPolicy: (organizationId, policy_version, policy) =>
      send('PUT', `${organizationId}/quota`, { policy, policy_version }),
    setUserLimit: (organizationId, userId, limit) => send('PUT', `${organizationId}/users/${userId}/quota`, { limit }),
    grant: (organizationId, grant) => send('POST', `${organizationId}/grants`, grant),
  }
}
