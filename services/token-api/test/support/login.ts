import { decodeJwt } from 'jose'
import { call } from './http.ts'
import { addOrganization, addUser, signSupabaseToken } from './seed.ts'
import type { Bench } from './start-api.ts'

/** What a login gave, and who it was for. */
export interface TestLogin {
  readonly organization: string
  readonly user: string
  readonly token: string
  readonly refreshToken: string
  readonly sid: string
}

interface LoginBody {
  token: string
  refresh_token: string
}

/** Signs a user in: a new one of a new organization unless they are given. */
export async function logIn(bench: Bench, who: { organization?: string; user?: string } = {}): Promise<TestLogin> {
  const organization = who.organization ?? (await addOrganization(bench.db))
  const user = who.user ?? (await addUser(bench.db, organization))
  const { body } = await call<LoginBody>(bench.api.url, '/api/librechat/auth', {
    method: 'POST',
    token: await signSupabaseToken(user, bench.secrets.supabase),
  })
  return {
    organization,
    user,
    token: body.token,
    refreshToken: body.refresh_token,
    sid: String(decodeJwt(body.token).sid),
  }
}

/** Shows a refresh token. */
export function refresh(url: string, refresh_token: string) {
  return call<LoginBody & { reason: string }>(url, '/api/librechat/refresh', {
    method: 'POST',
    json: { refresh_token },
  })
}
