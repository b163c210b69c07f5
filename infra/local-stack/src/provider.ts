import { StackError } from './errors.ts'
import type { PostgresOptions, PostgresServer } from './postgres.ts'
import type { RedisOptions, RedisServer } from './redis.ts'
import type { SupabaseOptions, SupabaseServer } from './supabase.ts'

/** Where servers come from. */
export type ProviderName = 'native' | 'docker' | 'external'

/**
 * What makes the servers of a stack: programs of this machine, or containers. What it makes is used alike: started, stopped,
 * and, for fault tests, killed and started again on the same port and data.
 */
export type ServerProvider = {
  readonly name: Exclude<ProviderName, 'external'>
  /** What runs, in words. */
  readonly about: string
  createPostgres(options: PostgresOptions): PostgresServer
  createRedis(options: Omit<RedisOptions, 'runtime'>): RedisServer
  createSupabase(options: SupabaseOptions): SupabaseServer
  /** Applies the migrations that the database lacks. */
  migrate(options: SupabaseOptions & { migrations: string }): Promise<void>
}

const required = ['SUPABASE_URL', 'REDIS_URL', 'DATABASE_URL'] as const

/** Whether the environment names real servers: all of them, or none. Some without the others is a mistake that is named. */
const usesRealServers = (env: NodeJS.ProcessEnv): boolean => {
  const missing = required.filter((name) => (env[name] ?? '') === '')
  if (missing.length === required.length) return false
  if (missing.length === 0) return true
  const given = required.filter((name) => !missing.includes(name))
  throw new StackError(
    `${given.join(' and ')} ${given.length > 1 ? 'are' : 'is'} set but ${missing.join(' and ')} ${missing.length > 1 ? 'are' : 'is'} not. Set all three to use servers of your own, or none to start local ones.`,
  )
}

/**
 * Chooses by the environment: servers of one's own when their addresses are given, else what TOLLGATE_STACK says, else this machine.
 * @throws StackError for a choice that is none
 */
export const chooseProvider = (env: NodeJS.ProcessEnv): ProviderName => {
  const wish = env.TOLLGATE_STACK ?? ''
  if (usesRealServers(env)) {
    if (wish === '' || wish === 'external') return 'external'
    throw new StackError(
      `TOLLGATE_STACK=${wish} starts servers, but SUPABASE_URL, REDIS_URL and DATABASE_URL name some.`,
    )
  }
  if (wish === '' || wish === 'native') return 'native'
  if (wish === 'docker') return 'docker'
  if (wish === 'external')
    throw new StackError('TOLLGATE_STACK=external needs SUPABASE_URL, REDIS_URL and DATABASE_URL.')
  throw new StackError(`TOLLGATE_STACK=${wish} is not understood: it is native, docker or external.`)
}
