import { join } from 'node:path'
import type { TestProject } from 'vitest/node'
import { copyStack } from '../copy-stack.ts'
import { repoRoot } from '../paths.ts'
import { chooseProvider } from '../provider.ts'
import { startServersIn } from '../servers.ts'
import { openStackDir } from '../stack-dir.ts'
import { createTeardown } from '../teardown.ts'
import './provided.ts'
import { createTemporaryDir } from '../temporary-dir.ts'
import { createTemplate, templateName } from './template.ts'

const redisDatabases = 512

/** vitest's globalSetup: one PostgreSQL and one Redis for all test files; what it returns takes them down. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  // Node keeps here what it made of a module: services and commands are started a hundred times.
  process.env.NODE_COMPILE_CACHE ??= join(repoRoot, 'node_modules/.cache/node-compile')
  const teardown = createTeardown()
  try {
    const temporary = createTemporaryDir()
    teardown.defer(() => temporary.remove())
    const stackDir = await openStackDir({ dir: temporary.dir })
    teardown.defer(stackDir.close)
    const log = (line: string) => console.log(line)
    const { postgres, redis, supabaseApi } = await startServersIn(
      stackDir,
      { durable: false, redisDatabases, log },
      teardown,
    )
    // Lite has completed its auth schema: copies have it whether or not a test starts the API.
    await supabaseApi.stop()
    const seed = await keepSeed(temporary.dir, postgres)
    const { jwtSecret, publishableKey, secretKey, rolePassword } = stackDir.secrets
    await createTemplate(postgres.url, rolePassword)
    project.provide('tollgate', {
      dir: temporary.dir,
      seed,
      adminUrl: postgres.url(),
      template: templateName,
      redisUrl: redis.url(),
      redisDatabases,
      rolePassword,
      keys: { jwtSecret, publishableKey, secretKey },
    })
    return () => teardown.run()
  } catch (error) {
    await teardown.run()
    throw error
  }
}

/** Keeps the migrated servers' data for stacks of a test's own; what a container holds is not within reach. */
async function keepSeed(dir: string, postgres: { stop(): Promise<void>; start(): Promise<void> }) {
  if (chooseProvider({ TOLLGATE_STACK: process.env.TOLLGATE_STACK }) !== 'native') return null
  const seed = join(dir, 'seed')
  await postgres.stop()
  copyStack(dir, seed)
  await postgres.start()
  return seed
}
