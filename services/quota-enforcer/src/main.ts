import { parseEnv } from '@tollgate/shared/config'
import { runService } from '@tollgate/shared/lifecycle'
import { createLogger } from '@tollgate/shared/logging'
import { quotaEnforcerEnv } from './config.ts'
import { startQuotaEnforcer } from './start.ts'

const config = parseEnv(quotaEnforcerEnv, process.env)
const logger = createLogger({
  service: 'quota-enforcer',
  level: config.LOG_LEVEL,
  debug: config.DEBUG || config.LIBRECHAT_DEBUG,
})

await runService({
  name: 'quota-enforcer',
  logger,
  start: (context) => startQuotaEnforcer({ config, logger, now: Date.now, ...context }),
})
