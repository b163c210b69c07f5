import { createCall } from './request-json.ts'
import { type SendOptions, type SendResult, sendEvents } from './send-events.ts'
import { TollgateError } from './tollgate-error.ts'
import type { TollgateEvent, VerifiedToken } from './types.ts'

/** How a server reaches the API. */
export interface ServerOptions {
  /** Address of the token API. */
  readonly baseUrl: string
  /** The server's key, `tg_…`. Never in a browser. */
  readonly key: string
  readonly fetch?: typeof fetch
  /** Default: the clock, timers and random numbers of the platform. */
  readonly now?: () => number
  readonly sleep?: (ms: number) => Promise<void>
  readonly random?: () => number
}

/** What a server does with the API. */
export interface ServerConnection {
  /** A new access token for a user by id; needs the scope `tokens:issue`. @throws TollgateError */
  generateLibreChatToken(userId: string): Promise<string>
  /** What a token says when it is good now, else null. @throws TollgateError when that cannot be told at present */
  verifyToken(token: string): Promise<VerifiedToken | null>
  /** Sends events in batches, with retry under the same ids; needs the scope `events:write`. @throws TollgateError */
  sendEvents(events: readonly TollgateEvent[], options?: SendOptions): Promise<SendResult>
}

/** Connects a server; nothing is opened. */
export function connectServer(options: ServerOptions): ServerConnection {
  const { key, now = Date.now, random = Math.random, sleep = pause } = options
  const call = createCall(options.baseUrl, options.fetch ?? fetch)
  return {
    generateLibreChatToken: async (userId) => {
      const request = { method: 'POST', path: '/v1/tokens', token: key, body: { user_id: userId } } as const
      return (await call<{ token: string }>(request)).token
    },
    verifyToken: async (token) => {
      try {
        return await call<VerifiedToken>({ method: 'GET', path: '/api/auth/verify', token })
      } catch (error) {
        if (error instanceof TollgateError && (error.status === 401 || error.status === 403)) return null
        throw error
      }
    },
    sendEvents: (events, send = {}) => sendEvents(events, send, { call, token: key, now, sleep, random }),
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms)
  })
}
