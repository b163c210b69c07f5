import { randomUUID } from 'node:crypto'
import { runService } from '@tollgate/shared/lifecycle'
import { createLogger } from '@tollgate/shared/logging'
import { readConfig } from './config.ts'
import { startTokenApi } from './start.ts'

const config = readConfig(process.env)
const logger = createLogger({
  service: 'token-api',
  level: config.LOG_LEVEL,
  debug: config.DEBUG || config.LIBRECHAT_DEBUG,
})

await runService({
  name: 'token-api',
  logger,
  start: async (context) => {
    await startTokenApi({
      config,
      logger,
      now: Date.now,
      monotonicNow: () => performance.now(),
      newId: randomUUID,
      ...context,
    })
  },
})
