import type { AccessTokenClaims } from '@tollgate/shared/contracts'
import { SignJWT } from 'jose'
import type { TokenKeys } from './keys.ts'
import { writeAccessHeader } from './token-profile.ts'

/** Signs the claims of an access token with the key in force. */
export type IssueAccessToken = (claims: AccessTokenClaims) => Promise<string>

/** Signs the claims of an access token, exactly as they are. */
export function issueAccessToken(claims: AccessTokenClaims, { signing }: TokenKeys['access']): Promise<string> {
  const { alg, kid, key } = signing
  return new SignJWT({ ...claims }).setProtectedHeader(writeAccessHeader(alg, kid)).sign(key)
}
