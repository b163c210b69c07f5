import { z } from 'zod'
import { scope } from './scopes.ts'
import { boundedText, instant, uuid } from './text.ts'

/** Longest overlap of a rotation: 30 days. */
const MAX_OVERLAP_SECONDS = 30 * 86_400

/** Body of `POST /v1/keys`. */
export const keyRequest = z.strictObject({
  name: boundedText(100),
  scopes: z.array(scope).min(1).max(50),
  organization_id: uuid.nullable().default(null), // null: a key of the operator
  expires_at: instant.nullable().default(null), // null: never
})

/** Body of `POST /v1/keys/{id}/rotate`; for the overlap old and new key are both good. */
export const keyRotation = z.strictObject({
  overlap_seconds: z.number().int().min(0).max(MAX_OVERLAP_SECONDS).default(86_400),
})

/** A server's key as it is shown: `prefix` is the beginning of its text, by which people know it. */
export const keyReport = z.object({
  id: z.string(),
  name: z.string(),
  prefix: z.string(),
  scopes: z.array(z.string()),
  organization_id: z.string().nullable(),
  created_at: z.string(),
  created_by: z.string(),
  expires_at: z.string().nullable(),
  replaced_by: z.string().nullable(),
  last_used_at: z.string().nullable(),
  revoked_at: z.string().nullable(),
})
export type KeyReport = z.infer<typeof keyReport>

/** A new key: `key` is its text, which is shown this once and never again. */
export const newKeyReport = keyReport.extend({ key: z.string() })
