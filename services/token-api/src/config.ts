import {
  boolean,
  duration,
  type Env,
  parseEnv,
  positiveInteger,
  secret,
  secrets,
  serviceEnv,
  url,
} from '@tollgate/shared/config'
import { z } from 'zod'
import { rateLimits } from './manners/read-rate-limits.ts'

// Older names under which the same value is known; an alias counts only where the name itself is not set.
const ALIASES = { LIBRECHAT_JWT_SECRET: 'JWT_SECRET', LIBRECHAT_URL: 'NEXT_PUBLIC_LIBRECHAT_URL' } as const

const origins = z
  .string()
  .transform((text) =>
    text
      .split(',')
      .map((origin) => origin.trim())
      .filter((origin) => origin !== ''),
  )
  .refine((list) => list.every((origin) => URL.canParse(origin) && new URL(origin).origin === origin), {
    error: 'must be origins such as https://app.example.com, separated by commas',
  })

/** `false`, `true`, a number of hops, or a comma list of addresses, as Fastify's trustProxy takes them. */
const trustProxy = z.string().transform((text): boolean | string | ((address: string, hop: number) => boolean) => {
  if (text === 'true' || text === 'false') return text === 'true'
  return /^\d{1,2}$/.test(text) ? (_address, hop) => hop < Number(text) : text
})

/** As made by `tollgate keys create` or `openssl rand -hex 24`: a key that nobody could guess. */
const operatorKey = secret({ minBytes: 35 }).regex(/^tg_[\w-]{32,128}$/, {
  error: 'must be tg_ and at least 32 letters or digits: echo tg_$(openssl rand -hex 24)',
})

const schema = serviceEnv({
  LIBRECHAT_JWT_SECRET: secret(),
  JWT_REFRESH_SECRET: secret(),
  // Rotation: secrets and public keys that were in force before, and a key pair in place of the secret.
  JWT_PREVIOUS_SECRETS: secrets().prefault(''),
  JWT_SIGNING_KEY: z.string().optional(),
  JWT_PREVIOUS_PUBLIC_KEYS: z.string().optional(),
  SUPABASE_URL: url(['http', 'https']),
  // Optional: the operator's first key, good without a database; a key of the table takes its place afterwards.
  TOLLGATE_OPERATOR_KEY: operatorKey.optional(),
  // Optional: the JWKS of a hosted project is public; some gateways in front of a self-hosted one ask for it.
  SUPABASE_PUBLISHABLE_KEY: z.string().optional(),
  // Optional: set for a project that signs with HS256, else its public keys are read.
  SUPABASE_JWT_SECRET: secret({ allowWellKnown: true }).optional(),
  // Optional: only where users reach Supabase under another address than this service does.
  SUPABASE_JWT_ISSUER: z.string().optional(),
  LIBRECHAT_URL: url(['http', 'https']).default('http://localhost:3080'),
  JWT_ACCESS_TOKEN_EXPIRY: duration().prefault('24h'),
  JWT_REFRESH_TOKEN_EXPIRY: duration().prefault('7d'),
  SESSION_MAX_AGE: duration().prefault('30d'),
  URL_TOKEN: z.enum(['handoff', 'access']).default('handoff'),
  // Where events are accepted: `postgres` for a Redis that cannot promise to keep what it answered.
  ACCEPT_ON: z.enum(['redis', 'postgres']).default('redis'),
  /** Accepted and unrecorded events, in Redis and inbox, above which no more are taken. */
  MAX_BACKLOG_EVENTS: positiveInteger().prefault('500000'),
  CHAT_EMBEDDING: z.enum(['same-site', 'cross-site']).default('same-site'),
  // Optional: whom a refused user may ask beside the own administrator, as it shall stand in a sentence.
  SUPPORT_CONTACT: z.string().trim().min(1).max(200).optional(),
  // `observe`: the gate refuses nobody for an enforcement state. What is decided is the enforcer's setting.
  ENFORCEMENT_MODE: z.enum(['enforce', 'observe']).default('enforce'),
  // Whether webhooks may name http URLs and addresses that are not public. The enforcer, which sends, has the same setting.
  WEBHOOKS_ALLOW_PRIVATE: boolean().prefault('false'),
  // Keys that webhook secrets are sealed with in the database: the first seals, all open. The enforcer has the same.
  WEBHOOK_SECRET_KEYS: secrets().prefault(''),
  GATE_FAIL_MODE: z.enum(['closed', 'open']).default('closed'),
  CORS_ORIGINS: origins.prefault(''),
  TRUST_PROXY: trustProxy.prefault('false'),
  RATE_LIMITS: rateLimits.prefault(''),
  REDIS_NAMESPACE: z
    .string()
    .regex(/^[\w-]{1,64}$/, { error: 'must be letters, digits, - and _' })
    .default('tollgate'),
}).superRefine((env, context) => {
  // Whoever verifies tokens with Supabase's secret would take ours for its own, and our `role` for a database role.
  const pairs = [
    ['LIBRECHAT_JWT_SECRET', 'SUPABASE_JWT_SECRET'],
    ['LIBRECHAT_JWT_SECRET', 'SUPABASE_SECRET_KEY'],
    ['JWT_REFRESH_SECRET', 'LIBRECHAT_JWT_SECRET'],
    ['JWT_REFRESH_SECRET', 'SUPABASE_JWT_SECRET'],
    ['JWT_REFRESH_SECRET', 'SUPABASE_SECRET_KEY'],
  ] as const
  for (const [name, other] of pairs) {
    if (env[name] !== env[other]) continue
    context.addIssue({ code: 'custom', path: [name], message: `must differ from ${other}` })
  }
  const foreign = ['SUPABASE_JWT_SECRET', 'SUPABASE_SECRET_KEY', 'JWT_REFRESH_SECRET'] as const
  const lists = [
    // A secret that is still believed is as good as the one in force.
    ['JWT_PREVIOUS_SECRETS', foreign],
    // LibreChat's host or Supabase's would open every webhook's secret in a copy of the database.
    ['WEBHOOK_SECRET_KEYS', ['LIBRECHAT_JWT_SECRET', ...foreign]],
  ] as const
  for (const [list, others] of lists) {
    for (const other of others) {
      const secret = env[other]
      if (secret === undefined || !env[list].includes(secret)) continue
      context.addIssue({ code: 'custom', path: [list], message: `must not hold ${other}` })
    }
  }
})

/** The settings of the token API, checked. */
export type Config = z.output<typeof schema>

/** Reads the environment once. @throws ConfigError with all faults together */
export function readConfig(env: Env): Config {
  const named = Object.entries(ALIASES).map(([name, alias]) => [name, env[name] || env[alias]])
  return parseEnv(schema, { ...env, ...Object.fromEntries(named) })
}
