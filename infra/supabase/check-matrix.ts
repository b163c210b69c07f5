// Fails when the matrix of rights lacks a table, view or function of the migrations, or has one that is none: a new one is
// decided upon, not forgotten. What each row says is proved by test/rls-matrix.int.test.ts.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { PUBLIC_TABLES, REPORTS, SERVICE_FUNCTIONS, TOLLGATE_TABLES } from './test/rls-matrix.ts'

const MIGRATIONS = ['20261101000000_organizations_profiles.sql', '20261101000100_tollgate.sql']
const sql = MIGRATIONS.map((name) => readFileSync(join(import.meta.dirname, 'migrations', name), 'utf8')).join('\n')

function namesOf(kind: string, schema: string): string[] {
  const pattern = new RegExp(
    `^create (?:unlogged )?(?:${kind})(?: if not exists)? ${schema}\\.(\\w+)(?!.* partition of )`,
    'gm',
  )
  return [...new Set([...sql.matchAll(pattern)].map(([, name]) => name ?? ''))]
}

function compare(what: string, found: readonly string[], listed: readonly string[]): string[] {
  const missing = found.filter((name) => !listed.includes(name)).map((name) => `${what} ${name} has no row`)
  return [...missing, ...listed.filter((name) => !found.includes(name)).map((name) => `${what} ${name} is none`)]
}

const faults = [
  ...compare('public', namesOf('table|view', 'public'), Object.keys(PUBLIC_TABLES)),
  ...compare('tollgate', namesOf('table|view', 'tollgate'), Object.keys(TOLLGATE_TABLES)),
  ...compare('function', namesOf('function', 'public'), [...Object.keys(REPORTS), ...SERVICE_FUNCTIONS]),
]
if (faults.length > 0) {
  console.error(`infra/supabase/test/rls-matrix.ts:\n${faults.join('\n')}`)
  process.exit(1)
}
