import { parseEnv } from '@tollgate/shared/config'
import { runService } from '@tollgate/shared/lifecycle'
import { createLogger } from '@tollgate/shared/logging'
import { createMetrics } from '@tollgate/shared/metrics'
import { buildServer } from './build-server.ts'
import { dashboardEnv } from './config.ts'

const config = parseEnv(dashboardEnv, process.env)
const logger = createLogger({ service: 'dashboard', level: config.LOG_LEVEL, debug: config.DEBUG })

await runService({
  name: 'dashboard',
  logger,
  start: async ({ phases, stopping }) => {
    const app = buildServer(config, createMetrics({ service: 'dashboard' }), stopping)
    phases.add('drain', 'http', 3_000, () => app.close())
    logger.info({ url: await app.listen({ host: config.HOST, port: config.PORT }) }, 'dashboard listens')
  },
})
