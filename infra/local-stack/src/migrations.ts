import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** The hash of each migration by its file name. */
export type MigrationHashes = Record<string, string>

/** Hashes every `*.sql` file of a directory; none when the directory does not exist. */
export const hashMigrations = (dir: string): MigrationHashes => {
  if (!existsSync(dir)) return {}
  const files = readdirSync(dir).filter((file) => file.endsWith('.sql'))
  const hash = (file: string) =>
    createHash('sha256')
      .update(readFileSync(join(dir, file)))
      .digest('hex')
  return Object.fromEntries(files.sort().map((file) => [file, hash(file)]))
}

/** What is to be done with a database that has `applied` when the repository has `wanted`. */
export type MigrationPlan = { kind: 'current' } | { kind: 'apply' } | { kind: 'changed'; files: string[] }

/** New files are applied; a file that was applied and has since been edited or removed can not be. */
export const planMigrations = (applied: MigrationHashes | undefined, wanted: MigrationHashes): MigrationPlan => {
  const known = applied ?? {}
  const changed = Object.keys(known).filter((file) => known[file] !== wanted[file])
  if (changed.length > 0) return { kind: 'changed', files: changed }
  const complete = applied !== undefined && Object.keys(wanted).every((file) => file in known)
  return complete ? { kind: 'current' } : { kind: 'apply' }
}
