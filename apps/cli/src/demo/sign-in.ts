import { createClient } from '@supabase/supabase-js'
import { type LibreChatConfig, libreChatConfig } from '@tollgate/shared/contracts'
import { DemoError } from './demo-error.ts'
import { describeAnswer, fieldOf, type JsonAnswer, type RequestJson, textField } from './request-json.ts'

/** Where users sign in. */
export interface SupabaseTarget {
  readonly url: string
  readonly publishableKey: string
}

/** What `POST /api/librechat/auth` answered: an access token with its config, or a refusal that explains itself. */
export type TokenAnswer =
  | { readonly kind: 'issued'; readonly token: string; readonly config: LibreChatConfig }
  | { readonly kind: 'refused'; readonly status: number; readonly problem: unknown }

/** Signs a user in at Supabase, as the platform's front end does, and returns the Supabase access token. */
export async function signIn(target: SupabaseTarget, email: string, password: string): Promise<string> {
  const auth = { persistSession: false, autoRefreshToken: false }
  const supabase = createClient(target.url, target.publishableKey, { auth })
  const { data, error } = await supabase.auth.signInWithPassword({ email, password })
  if (error) throw new DemoError(`${email} could not sign in at ${target.url}: ${error.message}`)
  return data.session.access_token
}

function readTokenAnswer(answer: JsonAnswer): TokenAnswer {
  const token = textField(answer.body, 'token')
  if (answer.status === 200 && token !== null) {
    const organization = fieldOf(fieldOf(answer.body, 'user'), 'organization')
    return { kind: 'issued', token, config: libreChatConfig.parse(fieldOf(organization, 'librechat_config')) }
  }
  if (answer.status === 403) return { kind: 'refused', status: answer.status, problem: answer.body }
  throw new DemoError(`POST /api/librechat/auth: ${describeAnswer(answer)}`)
}

/** Exchanges a Supabase access token for an access token of Tollgate. Throws on anything but a token or a 403. */
export async function issueToken(request: RequestJson, tokenApi: string, supabaseToken: string): Promise<TokenAnswer> {
  const url = new URL('/api/librechat/auth', tokenApi).href
  return readTokenAnswer(await request(url, { method: 'POST', token: supabaseToken, body: '{}' }))
}
