import type { z } from 'zod'
import { MAX_EVENT_TOKENS } from './events.ts'
import { isCount, isObject, isText, isUuid } from './quick-looks.ts'
import {
  DEFAULT_TTL_SECONDS,
  MAX_TTL_SECONDS,
  type ReservationRequest,
  type reservationRequest,
} from './reservations.ts'

/**
 * The request for a hold that parsed JSON is, when it is written as almost all are. Undefined says nothing about it:
 * `reservationRequest` decides then, and explains. It takes nothing that the schema refuses, and gives the same.
 */
export function readCanonicalHold(value: unknown): ReservationRequest | undefined {
  if (!isObject<z.input<typeof reservationRequest>>(value)) return undefined
  const { organization_id, user_id, session_id, total_tokens, ttl_seconds = DEFAULT_TTL_SECONDS } = value
  if (!isUuid(organization_id) || !isUuid(user_id) || !isText(session_id, 200)) return undefined
  if (!isCount(total_tokens, 1, MAX_EVENT_TOKENS) || !isCount(ttl_seconds, 1, MAX_TTL_SECONDS)) return undefined
  return { organization_id, user_id, session_id, total_tokens, ttl_seconds }
}
