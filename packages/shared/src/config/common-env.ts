import { z } from 'zod'
import { boolean, port, positiveInteger, url } from './fields.ts'

/** Variables that every service understands; a service adds its own with `serviceEnv`. */
export const commonEnv = z.object({
  NODE_ENV: z.enum(['production', 'development', 'test']).default('production'),
  HOST: z.string().default('127.0.0.1'),
  PORT: port().prefault('0'),
  REDIS_URL: url(['redis', 'rediss']),
  // Optional: a project that is reached over HTTP only has no direct connection.
  DATABASE_URL: url(['postgres', 'postgresql']).optional(),
  // Optional: with DATABASE_URL a service may not need Supabase's HTTP API at all.
  SUPABASE_URL: url(['http', 'https']).optional(),
  SUPABASE_SECRET_KEY: z.string().min(20, { error: 'is too short for a Supabase secret key' }).optional(),
  LOG_LEVEL: z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']).default('info'),
  DEBUG: boolean().prefault('false'),
  LIBRECHAT_DEBUG: boolean().prefault('false'),
  SHARDS: positiveInteger()
    .refine((shards) => shards <= 64, { error: 'must be at most 64' })
    .prefault('2'),
  // Optional: follows DATABASE_URL when it is not set.
  STORE_TRANSPORT: z.enum(['pg', 'supabase']).optional(),
})

/** The variables that choose the way to the database. */
export type StoreEnv = Pick<
  z.output<typeof commonEnv>,
  'DATABASE_URL' | 'SUPABASE_URL' | 'SUPABASE_SECRET_KEY' | 'STORE_TRANSPORT'
>

/** Where and how SQL functions are called. */
export type StoreSettings =
  | { readonly transport: 'pg'; readonly connectionString: string }
  | { readonly transport: 'supabase'; readonly url: string; readonly secretKey: string }

// Judged even when other variables are wrong, so that all faults come in one report.
const always = { when: () => true }

/** `commonEnv` with a service's own variables and the check that the store can be reached. */
export function serviceEnv<Shape extends z.core.$ZodLooseShape>(shape: Shape) {
  return commonEnv
    .extend(shape)
    .refine((env) => !lacks(env as StoreEnv, 'pg', 'DATABASE_URL'), {
      ...always,
      path: ['DATABASE_URL'],
      error: 'is required when STORE_TRANSPORT is pg',
    })
    .refine((env) => !lacks(env as StoreEnv, 'supabase', 'SUPABASE_URL'), {
      ...always,
      path: ['SUPABASE_URL'],
      error: 'is required when the database is not reached through DATABASE_URL',
    })
    .refine((env) => !lacks(env as StoreEnv, 'supabase', 'SUPABASE_SECRET_KEY'), {
      ...always,
      path: ['SUPABASE_SECRET_KEY'],
      error: 'is required when the database is not reached through DATABASE_URL',
    })
}

/** Settles the transport: as STORE_TRANSPORT says, else `pg` when DATABASE_URL is set, else `supabase`. */
export function storeSettings(env: StoreEnv): StoreSettings {
  if (chooseTransport(env) === 'pg' && env.DATABASE_URL !== undefined) {
    return { transport: 'pg', connectionString: env.DATABASE_URL }
  }
  if (env.SUPABASE_URL !== undefined && env.SUPABASE_SECRET_KEY !== undefined) {
    return { transport: 'supabase', url: env.SUPABASE_URL, secretKey: env.SUPABASE_SECRET_KEY }
  }
  throw new TypeError('storeSettings needs an environment that serviceEnv has checked')
}

function chooseTransport(env: StoreEnv): 'pg' | 'supabase' {
  return env.STORE_TRANSPORT ?? (env.DATABASE_URL === undefined ? 'supabase' : 'pg')
}

function lacks(env: StoreEnv, transport: 'pg' | 'supabase', variable: keyof StoreEnv): boolean {
  return chooseTransport(env) === transport && env[variable] === undefined
}
