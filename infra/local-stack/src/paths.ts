import { join, resolve } from 'node:path'

/** Root of the repository, wherever it was cloned. */
export const repoRoot: string = resolve(import.meta.dirname, '../../..')

/** Where one stack keeps everything that outlives a restart. */
export type StackPaths = ReturnType<typeof stackPaths>

/** Names every file of a stack that lives in `dir` (by default `.tollgate/` in the repository). */
export const stackPaths = (dir: string = join(repoRoot, '.tollgate')) => {
  const root = resolve(dir)
  return {
    dir: root,
    logs: join(root, 'logs'),
    secrets: join(root, 'secrets.json'),
    state: join(root, 'state.json'),
    running: join(root, 'running.json'),
    lock: join(root, 'lock'),
    stackFile: join(root, 'stack.json'),
    postgres: join(root, 'postgres'),
    redis: join(root, 'redis'),
    supabase: join(root, 'supabase'),
  }
}

/** The migrations that every stack applies. */
export const migrationsDir: string = join(repoRoot, 'infra', 'supabase', 'migrations')
