import type { Call } from './request-json.ts'
import { TollgateError } from './tollgate-error.ts'
import type { LoginUser } from './types.ts'

/** A login session as the API answers it. */
export interface Login {
  readonly token: string
  readonly expires_at: string
  readonly refresh_token?: string
  readonly user: LoginUser
}

/** Gives the access token of the Supabase session, null when nobody is signed in. */
export type GetSupabaseToken = () => Promise<string | null>

/**
 * Rotates the refresh token; without a good one, or with one of somebody else, the Supabase session gives a new login.
 * A login of somebody else is ended: who was signed in before has left this browser.
 */
export async function renewLogin(
  call: Call,
  refreshToken: string | undefined,
  getSupabaseToken: GetSupabaseToken,
): Promise<Login> {
  const refreshed = await refresh(call, refreshToken).catch(async (error: unknown) => {
    // A revoked organization may be that of the user before: the exchange says what holds for this one.
    if (isRefusal(error, 403) && (await getSupabaseToken()) !== null) return null
    throw error
  })
  const token = await getSupabaseToken()
  if (refreshed && isLoginOf(refreshed, token)) return refreshed
  // By its own token: the cookie may be another tab's by now.
  if (refreshed) await postLogout(call, refreshed.refresh_token, false)
  return call<Login>({
    method: 'POST',
    path: '/api/librechat/auth',
    token: requireSupabaseToken(token),
    credentials: 'include',
  })
}

/** Ends a login session, or all of the user's; `all` of the answer says which. Null when there is none. */
export function endLogin(call: Call, refreshToken: string | undefined, all: boolean): Promise<{ all: boolean } | null> {
  return byCookieOrMemory(refreshToken, (token) => postLogout(call, token, all)).catch(ignoreNone)
}

/** Whether a login belongs to the user of a Supabase token; without a token there is nobody else whom it could belong to. */
export function isLoginOf(login: Login, supabaseToken: string | null): boolean {
  const subject = supabaseToken === null ? undefined : readSubject(supabaseToken)
  return subject === undefined || subject === login.user.id
}

/** @throws TollgateError when nobody is signed in */
export function requireSupabaseToken(token: string | null): string {
  if (token !== null) return token
  throw new TollgateError(401, { type: 'unauthenticated', title: 'Nobody is signed in to Supabase', reason: 'missing' })
}

function refresh(call: Call, refreshToken: string | undefined): Promise<Login | null> {
  const post = (token: string | undefined) =>
    call<Login>({ method: 'POST', path: '/api/librechat/refresh', body: bodyOf(token), credentials: 'include' })
  return byCookieOrMemory(refreshToken, (token) =>
    post(token).catch((error: unknown) => {
      // The answer may be lost, and the token used: for ten seconds the API gives the same successor once more.
      if (isRefusal(error, 0)) return post(token)
      throw error
    }),
  ).catch((error: unknown) => {
    if (isRefusal(error, 401)) return null
    throw error
  })
}

function postLogout(call: Call, refreshToken: string | undefined, all: boolean): Promise<{ all: boolean }> {
  const body = { ...bodyOf(refreshToken), all }
  return call({ method: 'POST', path: '/api/librechat/logout', body, credentials: 'include' })
}

/**
 * The cookie comes first: other tabs rotate it, and a token in memory that they have used would end the login session.
 * Browsers may withhold it from a page of another site; only then memory counts.
 */
async function byCookieOrMemory<Answer>(
  refreshToken: string | undefined,
  ask: (refreshToken?: string) => Promise<Answer>,
): Promise<Answer> {
  return ask().catch((error: unknown) => {
    if (refreshToken !== undefined && isMissing(error)) return ask(refreshToken)
    throw error
  })
}

const bodyOf = (token: string | undefined) => (token === undefined ? {} : { refresh_token: token })

const isRefusal = (error: unknown, status: number): error is TollgateError =>
  error instanceof TollgateError && error.status === status

const isMissing = (error: unknown): boolean => isRefusal(error, 401) && error.reason === 'missing'

function ignoreNone(error: unknown): null {
  if (isMissing(error)) return null
  throw error
}

// Not verified: it decides only whether to ask the API, which verifies.
function readSubject(token: string): string | undefined {
  try {
    const [, payload = ''] = token.split('.')
    const claims: unknown = JSON.parse(atob(payload.replaceAll('-', '+').replaceAll('_', '/')))
    const isNamed = typeof claims === 'object' && claims !== null && 'sub' in claims
    return isNamed && typeof claims.sub === 'string' ? claims.sub.toLowerCase() : undefined
  } catch {
    return undefined
  }
}
