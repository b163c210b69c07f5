import pg from 'pg'
import { withDatabase } from '../database.ts'
import { provisionRoles } from '../provision.ts'

/** Name of the migrated database that each test file's database is a copy of. */
export const templateName = 'tollgate_template'

/** Makes the template of the server's migrated database, with service roles that can log in. */
export const createTemplate = async (urlOf: (database: string) => string, rolePassword: string): Promise<void> => {
  await provisionRoles(urlOf('postgres'), rolePassword)
  const name = pg.escapeIdentifier(templateName)
  await withDatabase(urlOf('template1'), async (client) => {
    await client.query(`create database ${name} template postgres`)
    // A template nobody can connect to can always be copied, also by several test files at once.
    await client.query(`alter database ${name} with is_template true allow_connections false`)
  })
}
