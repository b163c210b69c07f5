import type { SupabaseKeys } from '../supabase.ts'

/** What the global setup hands to every test file. */
export type ProvidedServers = {
  /** The directory of the servers; test files put their own Supabase APIs below it. */
  dir: string
  /** A stopped, migrated stack that `copyStack` makes others of; null where there is none to copy. */
  seed: string | null
  /** Superuser URL of the database that `createTestDatabase` connects to for its CREATE DATABASE. */
  adminUrl: string
  template: string
  redisUrl: string
  redisDatabases: number
  rolePassword: string
  keys: SupabaseKeys
}

declare module 'vitest' {
  export interface ProvidedContext {
    tollgate: ProvidedServers
  }
}
