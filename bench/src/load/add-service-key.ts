import { createHash, randomBytes } from 'node:crypto'
import type pg from 'pg'

/** Adds an operator's key with these scopes and gives its text. */
export async function addServiceKey(db: pg.Pool, scopes: readonly string[]): Promise<string> {
  const key = `tg_${randomBytes(24).toString('base64url')}`
  await db.query(
    `insert into tollgate.service_keys (name, key_prefix, key_hash, scopes) values ('bench', $1, $2, $3)`,
    [key.slice(0, 11), createHash('sha256').update(key).digest(), scopes],
  )
  return key
}
