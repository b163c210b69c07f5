import { z } from 'zod'
import { MAX_EVENT_TOKENS, publicEvent } from './events.ts'
import { boundedText, uuid } from './text.ts'

/** How long a hold lasts that does not say. */
export const DEFAULT_TTL_SECONDS = 300
/** The longest that one may last. */
export const MAX_TTL_SECONDS = 3_600

/** Body of `POST /v1/reservations`: an estimate of one call, in LLM tokens, and how long it is held at most. */
export const reservationRequest = z.object({
  organization_id: uuid,
  user_id: uuid,
  session_id: boundedText(200),
  total_tokens: z.number().int().min(1).max(MAX_EVENT_TOKENS),
  ttl_seconds: z.number().int().min(1).max(MAX_TTL_SECONDS).default(DEFAULT_TTL_SECONDS),
})
export type ReservationRequest = z.infer<typeof reservationRequest>

/** What a hold is in; open while `held` or `committing`. */
export const holdState = z.enum(['held', 'committing', 'settled', 'released', 'expired'])

/** 201: held until `expires_at`; `remaining` is what the tightest limit has left, null without any. */
export const reservationAnswer = z.object({
  id: z.string(),
  total_tokens: z.number().int(),
  expires_at: z.string(),
  remaining: z.number().int().nullable(),
  state: holdState, // another one than `held` only for a repeated request
})

export type ReservationAnswer = z.infer<typeof reservationAnswer>

/** 202 of a commit: the usage is on disk. `late`: it came after the hold had been given back, and counts all the same. */
export const commitAnswer = z.object({ id: z.string(), state: holdState, late: z.boolean() })

/** 200 of a release: nothing is held any more. */
export const releaseAnswer = z.object({ id: z.string(), state: holdState })

/** Body of `POST /v1/reservations/{id}/commit`: the usage event of the call, as `POST /v1/events` takes it. */
export const commitBody = publicEvent.options[0]
