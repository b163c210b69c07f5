import pg from 'pg'
import { withDatabase } from '../database.ts'
import { migrationsDir } from '../paths.ts'
import type { ServerProvider } from '../provider.ts'
import { provisionRoles } from '../provision.ts'
import type { SupabaseKeys } from '../supabase.ts'

/** Name of the migrated database that each test file's database is a copy of. */
export const templateName = 'tollgate_template'

/** Where the template is made. */
export type TemplateTarget = {
  provider: ServerProvider
  urlOf: (database: string) => string
  projectDir: string
  logFile: string
  port: number
  keys: SupabaseKeys
  rolePassword: string
}

/** Creates the template: lite's auth schema, our migrations, service roles that can log in. */
export const createTemplate = async (target: TemplateTarget): Promise<void> => {
  const { provider, urlOf, projectDir, logFile, port, keys, rolePassword } = target
  const databaseUrl = urlOf(templateName)
  await withDatabase(urlOf('postgres'), (client) => client.query(`create database ${templateName}`))
  const supabase = { projectDir, logFile, port, databaseUrl, keys }
  await provider.migrate({ ...supabase, migrations: migrationsDir })
  // Lite completes its auth schema when it serves: once here, so that copies have it whether or not a test starts the API.
  const api = provider.createSupabase(supabase)
  await api.start()
  await api.stop()
  await provisionRoles(databaseUrl, rolePassword)
  // A template nobody can connect to can always be copied, also by several test files at once.
  await withDatabase(urlOf('postgres'), (client) =>
    client.query(`alter database ${pg.escapeIdentifier(templateName)} with is_template true allow_connections false`),
  )
}
