import {
  endLogin,
  type GetSupabaseToken,
  isLoginOf,
  type Login,
  renewLogin,
  requireSupabaseToken,
} from './renew-login.ts'
import { createCall } from './request-json.ts'
import { sendEvents } from './send-events.ts'
import { TollgateError } from './tollgate-error.ts'
import type { ChatAddress, LoginUser, TollgateEvent } from './types.ts'

/** How a front end reaches the API. */
export interface SessionOptions {
  /** Address of the token API; its `CORS_ORIGINS` must name the page's origin. */
  readonly baseUrl: string
  /** The access token of the Supabase session, null when nobody is signed in: `supabase.auth.getSession()`. */
  readonly getSupabaseToken: GetSupabaseToken
  readonly fetch?: typeof fetch
  readonly now?: () => number
  readonly newId?: () => string
}

/** A chat of LibreChat, by its own id. */
export interface ChatStart {
  readonly session_id: string
  readonly model?: string
  readonly metadata?: Readonly<Record<string, string | number | boolean>>
}

/** The login of the user who is signed in to Supabase. */
export interface Session {
  /** The user, after a login exchange where there was none. @throws TollgateError */
  user(): Promise<LoginUser>
  /** An access token that is good for half a minute at least; renewed silently. @throws TollgateError */
  token(): Promise<string>
  /** The address for the chat's iframe. @throws TollgateError */
  chatAddress(): Promise<ChatAddress>
  /** Tells that a chat of this user began or ended. @throws TollgateError */
  startChat(chat: ChatStart): Promise<void>
  endChat(sessionId: string, reason: string): Promise<void>
  /** Ends the login session, or every one of the user. Quiet when there is none. @throws TollgateError */
  logout(options?: { readonly everywhere?: boolean }): Promise<void>
}

const RENEW_BEFORE_MS = 30_000
const SOURCE = 'tollgate-client'

/**
 * Opens the session of a page. Tokens are kept in memory alone; after a reload the HttpOnly cookie takes over.
 * Concurrent callers share one exchange. When another user has signed in to Supabase, the login of the former is ended.
 */
export function openSession(options: SessionOptions): Session {
  const { getSupabaseToken, now = Date.now, newId = () => crypto.randomUUID() } = options
  const call = createCall(options.baseUrl, options.fetch ?? fetch)
  let login: Login | null = null
  let renewing: Promise<Login> | null = null

  const renew = (): Promise<Login> => {
    renewing ??= renewLogin(call, login?.refresh_token, getSupabaseToken)
      .then((fresh) => {
        login = fresh
        return fresh
      })
      .finally(() => {
        renewing = null
      })
    return renewing
  }
  const current = async (): Promise<Login> => {
    const supabaseToken = await getSupabaseToken()
    const isOurs = (held: Login) => isLoginOf(held, supabaseToken)
    if (login !== null && Date.parse(login.expires_at) - now() > RENEW_BEFORE_MS && isOurs(login)) return login
    const renewed = await renew()
    // A renewal under way may have begun for the user before.
    return isOurs(renewed) ? renewed : renew()
  }
  const send = async (make: (user: LoginUser) => TollgateEvent): Promise<void> => {
    const { user, token } = await current()
    const event = make(user)
    const tools = {
      call,
      now,
      random: Math.random,
      sleep: (ms: number) => new Promise<void>((go) => setTimeout(go, ms)),
    }
    const post = (withToken: string) => sendEvents([event], { budgetMs: 30_000 }, { ...tools, token: withToken })
    // What the organization may do has changed, or the session was ended elsewhere: one renewal says which.
    const { rejected } = await post(token).catch(async (error: unknown) => {
      if (!(error instanceof TollgateError) || error.status !== 401) throw error
      return post((await renew()).token)
    })
    const [refusal] = rejected
    if (refusal) throw new TollgateError(400, { type: 'no-usable-event', title: 'Not taken', reason: refusal.reason })
  }
  const envelope = () => ({ source: SOURCE, id: newId(), time: new Date(now()).toISOString() })
  const subject = ({ id, organization }: LoginUser) => ({ organization_id: organization.id, user_id: id })

  return {
    user: async () => (await current()).user,
    token: async () => (await current()).token,
    chatAddress: async () => {
      const token = requireSupabaseToken(await getSupabaseToken())
      return call<ChatAddress>({ method: 'GET', path: '/api/librechat/auth', token })
    },
    startChat: ({ metadata, ...chat }) =>
      send((user) => {
        const data = { ...subject(user), ...chat, ...(metadata ? { metadata: { ...metadata } } : {}) }
        return { ...envelope(), type: 'tollgate.session.started.v1', data }
      }),
    endChat: (session_id, reason) =>
      send((user) => ({
        ...envelope(),
        type: 'tollgate.session.ended.v1',
        data: { ...subject(user), session_id, reason },
      })),
    logout: async ({ everywhere = false } = {}) => {
      // What is being renewed would be a login after the logout.
      await renewing?.catch(() => null)
      const ended = await endLogin(call, login?.refresh_token, everywhere)
      // Not before: a logout that failed can be repeated.
      login = null
      if (!everywhere || ended === null || ended.all) return
      // The token was too old to speak for the user's other logins: a new one does.
      await endLogin(call, (await renew()).refresh_token, true)
      login = null
    },
  }
}
