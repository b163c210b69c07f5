import { createHash, randomBytes, randomUUID } from 'node:crypto'
import { SignJWT } from 'jose'
import type pg from 'pg'

/** Adds an organization and gives its id. */
export async function addOrganization(db: pg.Pool, config: object = {}, plan = 'professional'): Promise<string> {
  const id = randomUUID()
  await db.query(
    'insert into public.organizations (id, name, domain, plan_type, librechat_config) values ($1, $2, $3, $4, $5)',
    [id, 'Acme Research', `acme-${id.slice(0, 8)}`, plan, JSON.stringify(config)],
  )
  return id
}

/** Adds a user to an organization (null: none), without a way to sign in, and gives the id. */
export async function addUser(db: pg.Pool, organizationId: string | null, role = 'user'): Promise<string> {
  const id = randomUUID()
  const email = `${id.slice(0, 8)}@acme.example`
  await db.query('insert into auth.users (id, email) values ($1, $2)', [id, email])
  await addProfile(db, id, email, organizationId, role)
  return id
}

/** Adds the profile of a user who can sign in. */
export async function addProfile(
  db: pg.Pool,
  id: string,
  email: string,
  organizationId: string | null,
  role = 'user',
): Promise<void> {
  await db.query(
    'insert into public.profiles (id, organization_id, role, email, full_name) values ($1, $2, $3, $4, $5)',
    [id, organizationId, role, email, 'Ada Meyer'],
  )
}

/** Adds a server's key (organization null: the operator's) and gives its text. */
export async function addKey(db: pg.Pool, scopes: string[], organizationId: string | null = null): Promise<string> {
  const key = `tg_${randomBytes(24).toString('base64url')}`
  const hash = createHash('sha256').update(key).digest()
  await db.query(
    'insert into tollgate.service_keys (name, key_prefix, key_hash, scopes, organization_id) values ($1, $2, $3, $4, $5)',
    ['test', key.slice(0, 11), hash, scopes, organizationId],
  )
  return key
}

/** Signs what Supabase (HS256) would sign for a signed-in user. */
export function signSupabaseToken(userId: string, secret: string, claims: object = {}): Promise<string> {
  return new SignJWT({ role: 'authenticated', aud: 'authenticated', is_anonymous: false, ...claims })
    .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
    .setSubject(userId)
    .setIssuedAt()
    .setExpirationTime('1h')
    .sign(new TextEncoder().encode(secret))
}

/** A usage event as a server sends it. */
export function usageEvent(organizationId: string, userId: string, data: object = {}, envelope: object = {}) {
  return {
    specversion: '1.0',
    type: 'tollgate.usage.recorded.v1',
    source: 'librechat',
    id: randomUUID(),
    time: new Date().toISOString(),
    ...envelope,
    data: {
      organization_id: organizationId,
      user_id: userId,
      session_id: 'chat-1',
      model: 'gpt-4o',
      input_tokens: 374,
      output_tokens: 44,
      ...data,
    },
  }
}
