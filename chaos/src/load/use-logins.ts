import { openSession } from '@tollgate/client'
import { z } from 'zod'
import { ChaosError } from '../chaos-error.ts'
import type { ChaosStack } from '../stack/open-chaos-stack.ts'
import { balanceRequests } from './balance-requests.ts'
import { type LoadContext, patiently, pause } from './load-context.ts'

/** A demo user of the stack. */
type Person = ReturnType<ChaosStack['stack']['describe']>['users'][number]

const signedIn = z.object({ access_token: z.string() })
const refused = z.object({ reason: z.string().optional() })
// Of a token that was issued, these can be no reason, whatever is killed.
const NEVER = new Set(['missing', 'malformed', 'bad_signature'])
const REMEMBERED_MS = 40_000
const PAUSE_MS = 700

interface EndedToken {
  readonly token: string
  readonly how: string
  readonly atMs: number
}

/**
 * One user: signs in, lets the token be verified by every instance, refreshes it, tells of a chat, and now and then logs out
 * or has a token revoked. From the moment at which the end is answered no instance may accept the token any more.
 */
export async function useLogins(context: LoadContext, person: Person): Promise<void> {
  const { chaos, random, stopping, count } = context
  const supabaseToken = await patiently(context, `sign-in of ${person.email}`, () => signIn(chaos, person))
  const session = openSession({
    baseUrl: chaos.tokenApis[0] ?? '',
    fetch: balanceRequests(random.shuffled(chaos.tokenApis)),
    getSupabaseToken: async () => supabaseToken,
  })
  let ended: EndedToken[] = []
  while (!stopping.aborted) {
    const token = await session.token().catch(() => null)
    if (token === null) count('tokens not to be had at the moment')
    else {
      count('tokens verified')
      await requireGood(context, token)
      const end = random.happens(15) ? 'logout' : random.happens(10) ? 'revocation' : null
      if (end === 'logout') await patiently(context, 'logout', () => session.logout())
      if (end === 'revocation') await patiently(context, 'revocation', () => revoke(chaos, token))
      if (end !== null) {
        count(`${end}s`)
        ended.push({ token, how: end, atMs: performance.now() })
      }
      // Not before a logout: it may begin a login anew, and the logout would be of that one.
      if (end === null && random.happens(20)) {
        await session.startChat({ session_id: `chat-${person.id}` }).catch(() => count('chats that were not told'))
      }
      // A revoked token is still the session's newest: a new one is due.
      if (end === 'revocation') await patiently(context, 'logout', () => session.logout())
    }
    ended = ended.filter(({ atMs }) => performance.now() - atMs < REMEMBERED_MS)
    for (const one of ended) await requireRefused(context, one)
    await pause(random.between(PAUSE_MS / 2, PAUSE_MS * 2), stopping)
  }
}

async function signIn({ stack }: ChaosStack, { email, password }: Person): Promise<string> {
  const { url, publishableKey } = stack.supabase
  const response = await fetch(`${url}/auth/v1/token?grant_type=password`, {
    method: 'POST',
    headers: { apikey: publishableKey, 'content-type': 'application/json' },
    body: JSON.stringify({ email, password }),
    signal: AbortSignal.timeout(10_000),
  })
  return signedIn.parse(await response.json()).access_token
}

async function revoke({ stack, tokenApis }: ChaosStack, token: string): Promise<void> {
  const { operatorKey } = stack.describe()
  const response = await fetch(`${tokenApis[Math.floor(Math.random() * tokenApis.length)]}/oauth/revoke`, {
    method: 'POST',
    headers: { authorization: `Bearer ${operatorKey}`, 'content-type': 'application/json' },
    body: JSON.stringify({ token }),
    signal: AbortSignal.timeout(10_000),
  })
  await response.arrayBuffer()
  if (!response.ok) throw new ChaosError(`/oauth/revoke answered ${response.status}`)
}

/** Why an instance refuses a token; null when it accepts it, undefined when it can not say. */
async function verify(url: string, token: string): Promise<string | null | undefined> {
  try {
    const headers = { authorization: `Bearer ${token}` }
    const response = await fetch(`${url}/api/auth/verify`, { headers, signal: AbortSignal.timeout(5_000) })
    const body: unknown = await response.json()
    if (response.ok) return null
    return response.status === 401 || response.status === 403 ? (refused.parse(body).reason ?? 'unknown') : undefined
  } catch {
    return undefined
  }
}

async function requireGood({ chaos, book, count }: LoadContext, token: string): Promise<void> {
  for (const url of chaos.tokenApis) {
    const refusal = await verify(url, token)
    if (refusal === undefined) count('verifications without an answer')
    else if (refusal !== null) count(`good tokens refused: ${refusal}`)
    if (typeof refusal === 'string' && NEVER.has(refusal))
      book.violations.push(`a good token was refused as ${refusal}`)
  }
}

async function requireRefused({ chaos, book, count }: LoadContext, { token, how, atMs }: EndedToken): Promise<void> {
  for (const url of chaos.tokenApis) {
    count('ended tokens verified')
    if ((await verify(url, token)) === null)
      book.violations.push(
        `a token (${expiryOf(token)}) was accepted ${Math.round(performance.now() - atMs)} ms after its ${how} was answered, by ${url}`,
      )
  }
}

function expiryOf(token: string): string {
  const claims: unknown = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString())
  const { sid, exp } = z.object({ sid: z.string(), exp: z.number() }).parse(claims)
  return `session ${sid}, until ${new Date(exp * 1_000).toISOString()}, now ${new Date().toISOString()}`
}
