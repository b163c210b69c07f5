import { createHash, randomUUID } from 'node:crypto'
import { SignJWT } from 'jose'
import type pg from 'pg'
import type { Member } from './population.ts'

const LIFETIME_SECONDS = 3_600
const ROWS_AT_A_TIME = 1_000

/** Makes login sessions with a refresh token each, as the token API does, without asking it. */
export async function makeRefreshTokens(
  db: pg.Pool,
  secret: string,
  members: readonly Member[],
  count: number,
): Promise<string[]> {
  const key = new TextEncoder().encode(secret)
  const iat = Math.floor(Date.now() / 1_000)
  const end = iat + LIFETIME_SECONDS
  const tokens: string[] = []
  while (tokens.length < count) {
    const rows = Array.from({ length: Math.min(ROWS_AT_A_TIME, count - tokens.length) }, (_, index) => {
      const member = members[(tokens.length + index) % members.length]
      if (member === undefined) throw new RangeError('there is no member')
      return { sid: randomUUID(), member }
    })
    const made = await Promise.all(
      rows.map(({ sid, member }) =>
        new SignJWT({ sub: member.userId, sid, gen: 0, iat, exp: end, end, iss: 'tollgate', aud: 'tollgate-refresh' })
          .setProtectedHeader({ alg: 'HS256', typ: 'refresh+jwt' })
          .sign(key),
      ),
    )
    await db.query(
      `insert into tollgate.login_sessions (id, organization_id, user_id, started_at, expires_at, ends_at,
         access_expires_at, refresh_hash, refresh_issued_at, refresh_expires_at)
       select t.id, t.organization_id, t.user_id, now(), $5, $5, $5, t.hash, now(), $5
       from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::bytea[]) t (id, organization_id, user_id, hash)`,
      [
        rows.map(({ sid }) => sid),
        rows.map(({ member }) => member.organizationId),
        rows.map(({ member }) => member.userId),
        made.map((token) => createHash('sha256').update(token).digest()),
        new Date(end * 1_000),
      ],
    )
    tokens.push(...made)
  }
  return tokens
}
