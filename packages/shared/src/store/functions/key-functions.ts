import type { KeyReport } from '../../contracts/index.ts'

/** A key as it is put on record: only the hash of its text. */
export interface KeyCreation {
  id: string
  name: string
  key_prefix: string
  key_sha256: string
  scopes: string[]
  organization_id: string | null
  expires_at: string | null
  actor: string
}

/** What a rotation needs; the rest is as the old key has it. */
export interface KeyRotation {
  id: string
  new_id: string
  key_prefix: string
  key_sha256: string
  overlap_seconds: number
  actor: string
}

/** Keys of servers. */
export type KeyFunctions = {
  find_service_key: {
    args: { key_sha256: string }
    row: { id: string; scopes: string[]; organization_id: string | null; expires_at: string | null }
  }
  create_service_key: { args: { change: KeyCreation }; row: KeyReport }
  list_service_keys: {
    args: { query: { organization_id?: string | undefined; id?: string | undefined } }
    row: KeyReport
  }
  rotate_service_key: { args: { change: KeyRotation }; row: KeyReport }
  revoke_service_key: { args: { change: { id: string; actor: string } }; row: KeyReport }
  touch_service_keys: { args: { used: { keys: { id: string; used_at: string }[] } }; row: { touched: number } }
}
