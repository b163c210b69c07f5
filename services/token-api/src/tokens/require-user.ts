import { ProblemError } from '@tollgate/shared/contracts'
import { readBearer } from './read-bearer.ts'
import type { VerifySupabaseToken } from './verify-supabase-token.ts'

const SENTENCES = {
  missing: 'Send the Supabase access token as "Authorization: Bearer <token>".',
  malformed: 'The credential is not an access token of the Supabase project.',
  bad_signature: 'The signature of the Supabase access token is not good.',
  expired: 'The Supabase access token has expired: refresh the session.',
  anonymous: 'Anonymous sign-ins have no access.',
  signed_out: 'The Supabase session was signed out: sign in again.',
} as const

/** A user who is signed in to Supabase, and the session in which, where the token names it. */
export interface SignIn {
  readonly userId: string
  readonly supabaseSessionId: string | undefined
}

/** Who is signed in to Supabase. @throws ProblemError `unauthenticated`, `unavailable` */
export async function requireSignIn(authorization: string | undefined, verify: VerifySupabaseToken): Promise<SignIn> {
  const bearer = readBearer(authorization)
  const verdict = 'token' in bearer ? await verify(bearer.token) : bearer
  if ('userId' in verdict) return verdict
  const { reason } = verdict
  throw new ProblemError('unauthenticated', SENTENCES[reason], { extensions: { reason } })
}

/** The id of the user who is signed in to Supabase. @throws ProblemError `unauthenticated`, `unavailable` */
export async function requireUser(authorization: string | undefined, verify: VerifySupabaseToken): Promise<string> {
  return (await requireSignIn(authorization, verify)).userId
}
