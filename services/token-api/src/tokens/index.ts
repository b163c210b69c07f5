import type { AccessTokenClaims } from '@tollgate/shared/contracts'
import type { CheckAccessToken } from '../gate/check-access-token.ts'
import { issueAccessToken } from './issue-access-token.ts'
import type { TokenKeys } from './keys.ts'
import { type LoginDependencies, startLogin } from './start-login.ts'

/** The two functions under the names that the platform's code knows. */
export interface Tokens {
  /** A new access token for a user by id. @throws ProblemError as `startLogin` */
  generateLibreChatToken(userId: string): Promise<string>
  /** The claims of a token that is good now, or null. */
  verifyToken(token: string): Promise<AccessTokenClaims | null>
}

/** Binds both to their dependencies. */
export function createTokens(login: LoginDependencies, keys: TokenKeys, check: CheckAccessToken): Tokens {
  return {
    generateLibreChatToken: async (userId) => {
      const { claims } = await startLogin({ userId, kind: 'server' }, login)
      return issueAccessToken(claims, keys.access)
    },
    verifyToken: async (token) => {
      const verdict = await check(`Bearer ${token}`)
      return 'claims' in verdict ? verdict.claims : null
    },
  }
}
