import { createPostgres } from './postgres.ts'
import { thisMachine } from './programs.ts'
import type { ServerProvider } from './provider.ts'
import { createRedis } from './redis.ts'
import { findRedis } from './redis-binary.ts'
import { applyMigrations, createSupabase } from './supabase.ts'

/** Servers that are programs of this machine; Redis is looked for, and installed where that needs no question. */
export const openNativeProvider = (log: (line: string) => void): ServerProvider => {
  const runtime = findRedis(thisMachine(process.env, log))
  return {
    name: 'native',
    about: `embedded PostgreSQL 18 and ${runtime.kind === 'program' ? runtime.path : `${runtime.image} in Docker`}`,
    createPostgres,
    createRedis: (options) => createRedis({ ...options, runtime }),
    createSupabase,
    migrate: applyMigrations,
  }
}
