import { createRecall } from '../recall.ts'
import type { VerifySupabaseToken } from '../tokens/verify-supabase-token.ts'

/** What looking after sessions needs from outside. */
export interface OpenSessionOptions {
  readonly verify: VerifySupabaseToken
  /** @throws StoreError */
  readonly isSignedOut: (supabaseSessionId: string, userId: string) => Promise<boolean>
  readonly now: () => number
}

const FRESH_MS = 2_000
const MAX_REMEMBERED = 10_000

/**
 * Verifies a Supabase token and that the session that it names was not signed out, which the token itself does not tell for
 * as long as it lives. Postgres is asked once in two seconds a session, so that a sign-out holds after that.
 */
export function requireOpenSession({ verify, isSignedOut, now }: OpenSessionOptions): VerifySupabaseToken {
  const { recall } = createRecall({
    ask: (key) => {
      const [session = '', user = ''] = key.split(' ')
      return isSignedOut(session, user)
    },
    freshMs: FRESH_MS,
    // What was good two seconds ago may not be now: nobody is believed while it is asked for.
    staleMs: FRESH_MS,
    maxEntries: MAX_REMEMBERED,
    now,
  })
  return async (token) => {
    const verdict = await verify(token)
    if (!('userId' in verdict) || verdict.supabaseSessionId === undefined) return verdict
    return (await recall(`${verdict.supabaseSessionId} ${verdict.userId}`)) ? { reason: 'signed_out' } : verdict
  }
}
