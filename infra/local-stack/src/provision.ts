import pg from 'pg'
import { withDatabase } from './database.ts'
import { StackError } from './errors.ts'

/** The database role of each service; migrations create them without login. */
export const serviceRoles = {
  'token-api': 'tollgate_token_api',
  'usage-worker': 'tollgate_usage_worker',
  'quota-enforcer': 'tollgate_quota_enforcer',
} as const

/** Name of a service that has a database role. */
export type ServiceName = keyof typeof serviceRoles

/** Puts another user and password into a postgres:// URL. */
export const urlAs = (databaseUrl: string, user: string, password: string): string => {
  const url = new URL(databaseUrl)
  url.username = user
  url.password = encodeURIComponent(password)
  return url.toString()
}

/**
 * Lets each service's role log in with `password` and returns its database URL.
 * @throws StackError when the migrations did not create a role: no service runs as superuser by mistake
 */
export const provisionRoles = async (databaseUrl: string, password: string): Promise<Record<ServiceName, string>> => {
  const wanted = Object.values(serviceRoles)
  await withDatabase(databaseUrl, async (client) => {
    const present = 'select rolname from pg_roles where rolname = any($1)'
    const { rows } = await client.query<{ rolname: string }>(present, [wanted])
    const missing = wanted.filter((role) => !rows.some(({ rolname }) => rolname === role))
    if (missing.length > 0)
      throw new StackError(`the migrations did not create the database role ${missing.join(', ')}`)
    for (const role of wanted) {
      await client.query(`alter role ${pg.escapeIdentifier(role)} with login password ${pg.escapeLiteral(password)}`)
    }
  })
  return {
    'token-api': urlAs(databaseUrl, serviceRoles['token-api'], password),
    'usage-worker': urlAs(databaseUrl, serviceRoles['usage-worker'], password),
    'quota-enforcer': urlAs(databaseUrl, serviceRoles['quota-enforcer'], password),
  }
}
