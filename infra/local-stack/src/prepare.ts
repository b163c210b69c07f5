import { prepareChromium } from './chromium.ts'
import { messageOf } from './errors.ts'
import { prepareNginx } from './nginx.ts'
import { openProvider } from './open-provider.ts'
import { embeddedPostgresDir } from './postgres-binaries.ts'
import { preparePromtool } from './promtool.ts'

/** Before the tests: makes sure that the real servers can be started, and says with what. */
try {
  const { about } = await openProvider(process.env, (line) => console.log(line))
  embeddedPostgresDir()
  prepareNginx((line) => console.log(line))
  prepareChromium((line) => console.log(line))
  preparePromtool((line) => console.log(line))
  console.log(`Tests use ${about}.`)
} catch (error) {
  console.error(messageOf(error))
  process.exitCode = 1
}
