import type { AccessTokenClaims, OrganizationSummary, publicEvent } from '@tollgate/shared/contracts'
import type { z } from 'zod'

// Omit takes a union apart only when it is distributed over it.
type Without<Union, Name extends PropertyKey> = Union extends unknown ? Omit<Union, Name> : never

/** An event for `POST /v1/events`; `specversion` is added. A repeated `source` and `id` counts once. */
export type TollgateEvent = Without<z.input<typeof publicEvent>, 'specversion'>

/** An event that was not taken, by its place in what was sent. */
export interface RejectedEvent {
  readonly index: number
  readonly id: string | null
  readonly reason: string
}

/** The signed-in user, with what the organization's LibreChat may do. */
export type LoginUser = { readonly id: string } & Pick<
  AccessTokenClaims,
  'email' | 'name' | 'username' | 'avatar' | 'role' | 'organization'
>

/** Where the chat of the signed-in user is; the token in the URL is good once, for a minute. */
export interface ChatAddress {
  readonly url: string
  readonly organization: OrganizationSummary
}

/** What a good access token says; times are seconds since the epoch. */
export type VerifiedToken = Pick<
  AccessTokenClaims,
  'sub' | 'email' | 'name' | 'username' | 'role' | 'organization' | 'exp' | 'sid' | 'ver'
>
