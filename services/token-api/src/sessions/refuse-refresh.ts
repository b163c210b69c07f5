import { ProblemError } from '@tollgate/shared/contracts'

const SENTENCES = {
  missing: 'Send the refresh token as "refresh_token" in a JSON body, or as the cookie that the login set.',
  malformed: 'The credential is not a refresh token of this service.',
  bad_signature: 'The signature of the refresh token is not good.',
  expired: 'The refresh token has expired: sign in again.',
  session_ended: 'The login session has ended: sign in again.',
  refresh_reused: 'The refresh token was used before: its login session has been ended for safety. Sign in again.',
} as const

/** Why a refresh token is refused; a closed set that clients may switch on. */
export type RefreshRefusal = keyof typeof SENTENCES

/** The problem of a refused refresh token. */
export function refuseRefresh(reason: RefreshRefusal): ProblemError {
  return new ProblemError('unauthenticated', SENTENCES[reason], { extensions: { reason } })
}
