import type { LoginRow } from './account-functions.ts'

/** One login to start; times are ISO 8601, hashes 64 hex digits. */
export interface LoginStart {
  session_id: string
  user_id: string
  /** `browser` signs in by itself, `handoff` through the proxy, `server` is a token that a server asked for. */
  kind: 'browser' | 'handoff' | 'server'
  supabase_session_id?: string | undefined // not every Supabase token names its session
  user_agent?: string | undefined
  issued_at: string
  access_expires_at: string
  ends_at: string
  refresh_hash?: string | undefined // absent: no refresh token is issued
  refresh_expires_at?: string | undefined
  /** Refuse nobody for an enforcement state. */
  observe?: boolean
  /** The key that the token is issued to, for the audit trail. */
  actor?: string | undefined
}

/** What a gate must refuse until `expires_at` (seconds since the epoch): one token, or all of a login session. */
export interface Revocation {
  kind: 'jti' | 'sid'
  id: string
  expires_at: number
}

/** What `continue_login` takes; without `refresh` the token API itself vouches for the holder. */
export interface LoginAttempt {
  session_id: string
  access_expires_at: string
  refresh?: { hash: string; next_hash: string; issued_at: string; expires_at: string; grace_seconds: number }
  /** Refuse nobody for an enforcement state. */
  observe?: boolean
}

/** What became of a login session that was to go on. */
export type LoginOutcome =
  | 'continued'
  | 'repeated'
  | 'organization_revoked'
  | 'reused'
  | 'ended'
  | 'expired'
  | 'unknown'

/** What `revoke_logins` takes: a session, all of a user, or one access token. */
export interface RevocationRequest {
  actor: string
  reason: string
  session_id?: string
  user_id?: string
  token?: { jti: string; organization_id: string; expires_at: number }
  of_user?: string
  of_organization?: string
}

/** A login session as the device list and the introspection see it. */
export interface LoginSessionRow {
  id: string
  organization_id: string
  user_id: string
  kind: LoginStart['kind']
  user_agent: string | null
  started_at: string | null
  last_used_at: string | null
  expires_at: string | null
  ended_at: string | null
  end_reason: string | null
  refresh_hash: string | null
  refresh_expires_at: string | null
  ends_at: string | null
}

/** Login sessions, their end, and what gates must know of it. */
export type LoginFunctions = {
  start_logins: {
    args: { batch: { logins: LoginStart[] } }
    row: { session_id: string; login: LoginRow; signed_out: boolean }
  }
  continue_login: {
    args: { attempt: LoginAttempt }
    row: {
      outcome: LoginOutcome
      login: LoginRow | null
      user_id: string | null
      generation: number | null
      refresh_issued_at: string | null
      refresh_expires_at: string | null
      ends_at: string | null
      revoked: Revocation[]
      deaf_ms: number
    }
  }
  revoke_logins: {
    args: { request: RevocationRequest }
    row: { revoked: Revocation[]; ended: number; deaf_ms: number }
  }
  list_revocations: { args: Record<never, never>; row: Omit<Revocation, 'expires_at'> & { expires_at: string } }
  register_deaf_gate: { args: { instance_id: string; lease_ms: number }; row: { registered: boolean } }
  sweep_logins: {
    args: { max_rows: number; after: string | null; slice_rows: number }
    row: {
      next_after: string | null
      expired: number
      strayed: number
      forgotten: number
      revoked: Revocation[]
      deaf_ms: number
    }
  }
  list_logins: { args: { wanted: { user_id?: string; session_id?: string } }; row: LoginSessionRow }
  take_session_events: {
    args: { max_rows: number; lease_ms: number }
    row: { id: string; event: unknown; created_at: string }
  }
  forget_session_events: { args: { batch: { ids: string[] } }; row: { forgotten: number } }
  bury_session_events: { args: { batch: { ids: string[]; detail: string } }; row: { buried: number } }
  find_sign_in: { args: { session: string; of_user: string }; row: { signed_out: boolean } }
}
