import { createHash } from 'node:crypto'
import { createClient } from '@supabase/supabase-js'
import type pg from 'pg'
import { withDatabase } from './database.ts'
import { type DemoUser, demoOrganizations, demoUsers } from './demo-organizations.ts'
import { StackError } from './errors.ts'

/** Where the seeds go: only ever a stack of our own making. */
export type SeedTarget = {
  databaseUrl: string
  supabase: { url: string; publishableKey: string }
  demoPassword: string
  ingestKey: string
  operatorKey: string
}

/** A demo user who can sign in. */
export type SeededUser = DemoUser & { id: string; password: string }

// The operator may do everything that a key can be allowed to.
const operatorScopes = [
  ...['quota:read', 'quota:write', 'usage:read', 'events:write', 'reservations:write', 'enforcement:write'],
  ...['tokens:issue', 'tokens:introspect', 'tokens:revoke', 'webhooks:write', 'keys:write', 'audit:read'],
]

const findUsers = async (client: pg.Client): Promise<Map<string, string>> => {
  const emails = demoUsers.map(({ email }) => email)
  const { rows } = await client.query<{ id: string; email: string }>(
    'select id, email from auth.users where email = any($1)',
    [emails],
  )
  return new Map(rows.map(({ id, email }) => [email, id]))
}

const signUp = async (target: SeedTarget, user: DemoUser): Promise<string> => {
  const options = { auth: { persistSession: false, autoRefreshToken: false } }
  const supabase = createClient(target.supabase.url, target.supabase.publishableKey, options)
  const { data, error } = await supabase.auth.signUp({
    email: user.email,
    password: target.demoPassword,
    options: { data: { full_name: user.full_name } },
  })
  if (error || !data.user) throw new StackError(`The demo user ${user.email} could not be signed up: ${error?.message}`)
  return data.user.id
}

const ensureUsers = async (client: pg.Client, target: SeedTarget): Promise<SeededUser[]> => {
  const known = await findUsers(client)
  const users: SeededUser[] = []
  for (const user of demoUsers) {
    const id = known.get(user.email) ?? (await signUp(target, user))
    users.push({ ...user, id, password: target.demoPassword })
  }
  return users
}

const ensureOrganizations = async (client: pg.Client): Promise<void> => {
  for (const { id, name, domain, plan_type, librechat_config } of demoOrganizations) {
    await client.query(
      `insert into public.organizations (id, name, domain, plan_type, librechat_config)
       values ($1, $2, $3, $4, $5) on conflict (id) do nothing`,
      [id, name, domain, plan_type, JSON.stringify(librechat_config)],
    )
  }
}

const ensureProfiles = async (client: pg.Client, users: readonly SeededUser[]): Promise<void> => {
  for (const { id, organization_id, role, email, full_name } of users) {
    await client.query(
      `insert into public.profiles (id, organization_id, role, email, full_name)
       values ($1, $2, $3, $4, $5) on conflict (id) do nothing`,
      [id, organization_id, role, email, full_name],
    )
  }
}

const ensureServiceKey = async (client: pg.Client, name: string, key: string, scopes: readonly string[]) => {
  const hash = createHash('sha256').update(key).digest()
  await client.query(
    `insert into tollgate.service_keys (name, key_prefix, key_hash, scopes, organization_id)
     select $1, $2, $3, $4, null where not exists (select from tollgate.service_keys where key_hash = $3)`,
    [name, key.slice(0, 11), hash, scopes],
  )
}

const hasTables = async (client: pg.Client): Promise<boolean> => {
  const { rows } = await client.query<{ present: boolean }>(
    `select to_regclass('public.organizations') is not null and to_regclass('public.profiles') is not null
        and to_regclass('tollgate.service_keys') is not null as present`,
  )
  return rows[0]?.present === true
}

/** Adds the demo organizations, their users and two server keys; adds nothing that is there. Null while the tables do not exist. */
export const seedDemo = (target: SeedTarget): Promise<SeededUser[] | null> =>
  withDatabase(target.databaseUrl, async (client) => {
    if (!(await hasTables(client))) return null
    await ensureOrganizations(client)
    const users = await ensureUsers(client, target)
    await ensureProfiles(client, users)
    await ensureServiceKey(client, 'local ingest', target.ingestKey, ['events:write', 'reservations:write'])
    await ensureServiceKey(client, 'local operator', target.operatorKey, operatorScopes)
    return users
  })
