// Builds the one migration of Tollgate's own objects from schemas/ (roles, tables, views, functions, policies, in this
// order, files by name). `--check` changes nothing and fails when the committed migration is not what schemas/ say.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { writeOrCheck } from './generated-file.ts'

const root = import.meta.dirname
const target = join(root, 'migrations', '20261101000100_tollgate.sql')

const HEADER = `-- Generated from infra/supabase/schemas by generate-migration.ts. Edit those files, not this one.
-- Bodies are checked when all functions exist; the files stand in the order of their names.
set check_function_bodies = off;
`

function listSchemaFiles(): string[] {
  return readdirSync(join(root, 'schemas'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.sql'))
    .sort()
}

function buildMigration(): string {
  const parts = listSchemaFiles().map((name) => {
    const sql = readFileSync(join(root, 'schemas', name), 'utf8').trimEnd()
    return `\n-- schemas/${name}\n${sql}\n`
  })
  return HEADER + parts.join('')
}

writeOrCheck(target, buildMigration())
