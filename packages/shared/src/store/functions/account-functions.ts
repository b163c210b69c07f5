import type { EnforcementState, ReducedConfig, Role } from '../../contracts/index.ts'

/**
 * All that an access token says of a user (`find_login`). Profiles and organizations are the project's own tables, in which
 * anything but an id may be missing.
 */
export interface LoginRow {
  user_id: string
  email: string | null
  full_name: string | null
  username: string | null
  avatar_url: string | null
  role: string | null
  organization_id: string
  name: string | null
  domain: string | null
  plan_type: string | null
  librechat_config: unknown
  plan_config: unknown
  limit_tokens: string | null
  state: EnforcementState
  version: string
  reduced_config: ReducedConfig | null
  reason: string | null
  decision_id: string | null
  period_end: string | null
  user_reduced_config: ReducedConfig | null
  is_user_revoked: boolean
}

/** Organizations, users and logins. */
export type AccountFunctions = {
  find_login: { args: { for_user: string }; row: LoginRow }
  find_members: {
    args: { users: { ids: string[] } }
    row: { user_id: string; organization_id: string | null; role: Role }
  }
}
