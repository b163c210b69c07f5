import { randomUUID } from 'node:crypto'
import { parseEnv } from '@tollgate/shared/config'
import { runService } from '@tollgate/shared/lifecycle'
import { createLogger } from '@tollgate/shared/logging'
import { usageWorkerEnv } from './config.ts'
import { startUsageWorker } from './start.ts'

const config = parseEnv(usageWorkerEnv, process.env)
const logger = createLogger({
  service: 'usage-worker',
  level: config.LOG_LEVEL,
  debug: config.DEBUG || config.LIBRECHAT_DEBUG,
})

await runService({
  name: 'usage-worker',
  logger,
  start: (context) => startUsageWorker({ config, logger, now: Date.now, newId: randomUUID, ...context }),
})
