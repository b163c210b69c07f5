import { randomUUID } from 'node:crypto'
import type { StackFile } from '@tollgate/local-stack'
import { type AccessTokenClaims, accessTokenClaims } from '@tollgate/shared/contracts'
import { decodeJwt, decodeProtectedHeader, SignJWT } from 'jose'
import { z } from 'zod'
import { BenchError } from '../bench-error.ts'

/** Makes access tokens as the token API does, without asking it. */
export interface TokenSigner {
  /** A new token for a new login session, of `organizationId` or else of the demo user's own organization. */
  sign(organizationId?: string): Promise<string>
}

const loginAnswer = z.object({ access_token: z.string() })
const tokenAnswer = z.object({ token: z.string() })

/** Logs a demo user in and takes the token's claims as the pattern for others. */
export async function openTokenSigner(stack: StackFile, secret: string): Promise<TokenSigner> {
  const pattern = await issueOne(stack)
  const claims = accessTokenClaims.parse(decodeJwt(pattern))
  const { alg, ...header } = decodeProtectedHeader(pattern)
  if (alg !== 'HS256') throw new BenchError(`The stack signs with ${alg}, and not with its secret.`)
  const key = new TextEncoder().encode(secret)
  const sign = (changed: AccessTokenClaims) =>
    new SignJWT({ ...changed }).setProtectedHeader({ alg, ...header }).sign(key)
  return {
    sign: (organizationId = claims.organization.id) =>
      sign({ ...claims, organization: { ...claims.organization, id: organizationId }, jti: randomUUID(), ver: 0 }),
  }
}

async function issueOne(stack: StackFile): Promise<string> {
  const headers = { authorization: `Bearer ${await signIn(stack)}` }
  return (await postJson(`${stack.tokenApi}/api/librechat/auth`, headers, {}, tokenAnswer)).token
}

/** Signs the first demo user in at Supabase and gives the access token. */
export async function signIn({ supabase, users }: StackFile): Promise<string> {
  const [user] = users
  if (user === undefined) throw new BenchError('The stack has no demo user.')
  const { access_token } = await postJson(
    `${supabase.url}/auth/v1/token?grant_type=password`,
    { apikey: supabase.publishableKey },
    { email: user.email, password: user.password },
    loginAnswer,
  )
  return access_token
}

async function postJson<Answer>(
  url: string,
  headers: Record<string, string>,
  body: object,
  shape: z.ZodType<Answer>,
): Promise<Answer> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { ...headers, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
  if (!response.ok) throw new BenchError(`POST ${url}: ${response.status} ${await response.text()}`)
  return shape.parse(await response.json())
}
