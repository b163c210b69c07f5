import { prepareChromium } from './chromium.ts'
import { messageOf } from './errors.ts'
import { prepareNginx } from './nginx.ts'
import { embeddedPostgresDir } from './postgres-binaries.ts'
import { thisMachine } from './programs.ts'
import { preparePromtool } from './promtool.ts'
import { findRedis } from './redis-binary.ts'

/** Before the tests: makes sure that the real servers can be started, and says with what. */
try {
  const redis = findRedis(thisMachine(process.env, (line) => console.log(line)))
  embeddedPostgresDir()
  prepareNginx((line) => console.log(line))
  prepareChromium((line) => console.log(line))
  preparePromtool((line) => console.log(line))
  console.log(
    `Tests use embedded PostgreSQL 18 and ${redis.kind === 'program' ? redis.path : `${redis.image} in Docker`}.`,
  )
} catch (error) {
  console.error(messageOf(error))
  process.exitCode = 1
}
