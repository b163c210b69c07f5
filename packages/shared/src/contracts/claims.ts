import { z } from 'zod'
import { libreChatConfig } from './librechat-config.ts'

/** Roles of a profile: inside one organization `user` and `admin`; `super_admin` is the platform's own staff. */
export const role = z.enum(['user', 'admin', 'super_admin'])
export type Role = z.infer<typeof role>

/** The organization as front ends and LibreChat know it. */
export const organizationSummary = z.object({
  id: z.string(),
  name: z.string(),
  domain: z.string(),
  plan_type: z.string(),
})
export type OrganizationSummary = z.infer<typeof organizationSummary>

/** The organization inside an access token. */
export const organizationClaim = organizationSummary.extend({ librechat_config: libreChatConfig })

/** The user as the login answer shows it. */
export const userIdentity = z.object({
  email: z.string(),
  name: z.string(),
  username: z.string(),
  avatar: z.string(),
  role,
})

/**
 * Claims of an access token (RFC 7519, profile in docs/architecture.md).
 * `sid` names the login session, `ver` is the organization's enforcement version at issue; times are seconds.
 */
export const accessTokenClaims = userIdentity.extend({
  sub: z.string(),
  organization: organizationClaim,
  iat: z.number().int(),
  exp: z.number().int(),
  iss: z.string(),
  aud: z.string(),
  jti: z.string(),
  sid: z.string(),
  ver: z.number().int().nonnegative(),
})
export type AccessTokenClaims = z.infer<typeof accessTokenClaims>

/** Why a bearer credential was refused; a closed set that clients may switch on. */
export const REFUSAL_REASONS = [
  'missing',
  'malformed',
  'bad_signature',
  'expired',
  'revoked',
  'session_ended',
  'superseded',
  'organization_revoked',
  'user_revoked',
  'gate_unavailable',
] as const
export const refusalReason = z.enum(REFUSAL_REASONS)
export type RefusalReason = z.infer<typeof refusalReason>
