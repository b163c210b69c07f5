import { spawnSync } from 'node:child_process'
import { copyFileSync, mkdirSync, readFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { StackError } from './errors.ts'
import { stackPaths } from './paths.ts'
import { findPostgresHome } from './postgres-binaries.ts'
import { writePrivateFile } from './secrets.ts'

/**
 * Copies a stack's PostgreSQL, its passwords and the record of its migrations into a directory that is no stack's yet: a start there
 * goes on from this data. Neither ports nor what Redis holds are copied. PostgreSQL must not be running in `from`.
 */
export const copyStack = (from: string, to: string): void => {
  const [source, target] = [stackPaths(from), stackPaths(to)]
  const data = findPostgresHome(target.postgres).dataDir
  mkdirSync(dirname(data), { recursive: true })
  // Not Node's own copy: the files keep the owner that PostgreSQL runs as.
  const copied = spawnSync('cp', ['-a', findPostgresHome(source.postgres).dataDir, data], { encoding: 'utf8' })
  if (copied.status !== 0) {
    throw new StackError(`${from} could not be copied to ${to}: ${copied.error?.message ?? copied.stderr.trim()}`)
  }
  copyFileSync(source.secrets, target.secrets)
  const { migrations } = JSON.parse(readFileSync(source.state, 'utf8')) as { migrations: unknown }
  writePrivateFile(target.state, JSON.stringify({ migrations }))
}
