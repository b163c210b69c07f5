import { createHash } from 'node:crypto'
import type { ServiceName } from './provision.ts'
import type { StackSecrets } from './secrets.ts'
import type { Servers } from './servers.ts'

/** What a service is told by a local stack. Whatever else stands in `base` (from .env or the shell) is passed on. */
export const serviceEnv = (
  name: ServiceName,
  base: NodeJS.ProcessEnv,
  servers: Pick<Servers, 'redisUrl' | 'supabase'>,
  databaseUrl: string,
  secrets: StackSecrets,
): NodeJS.ProcessEnv => {
  const common = {
    ...base,
    NODE_ENV: base.NODE_ENV ?? 'development',
    LOG_LEVEL: base.LOG_LEVEL ?? 'info',
    SHARDS: base.SHARDS ?? '2',
    REDIS_URL: servers.redisUrl,
    DATABASE_URL: databaseUrl,
    SUPABASE_URL: servers.supabase.url,
    SUPABASE_SECRET_KEY: servers.supabase.secretKey,
    // Not a secret of its own: stacks that an earlier version made have none.
    WEBHOOK_SECRET_KEYS:
      base.WEBHOOK_SECRET_KEYS ?? createHash('sha256').update(secrets.operatorKey).digest('base64url'),
  }
  if (name !== 'token-api') return common
  return {
    ...common,
    SUPABASE_PUBLISHABLE_KEY: servers.supabase.publishableKey,
    SUPABASE_JWT_SECRET: servers.supabase.jwtSecret,
    LIBRECHAT_JWT_SECRET: base.LIBRECHAT_JWT_SECRET ?? secrets.librechatJwtSecret,
    JWT_REFRESH_SECRET: base.JWT_REFRESH_SECRET ?? secrets.refreshSecret,
    LIBRECHAT_URL: base.LIBRECHAT_URL ?? 'http://localhost:3080',
  }
}
