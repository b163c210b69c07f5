import { join } from 'node:path'
import type { TestProject } from 'vitest/node'
import { openProvider } from '../open-provider.ts'
import { choosePorts } from '../ports.ts'
import { openStackDir } from '../stack-dir.ts'
import { createTeardown } from '../teardown.ts'
import './provided.ts'
import { createTemporaryDir } from '../temporary-dir.ts'
import { createTemplate, templateName } from './template.ts'

const redisDatabases = 512

/** vitest's globalSetup: one PostgreSQL and one Redis for all test files; what it returns takes them down. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const teardown = createTeardown()
  try {
    const temporary = createTemporaryDir()
    teardown.defer(() => temporary.remove())
    const { paths, secrets, registry, close } = await openStackDir({ dir: temporary.dir })
    teardown.defer(close)
    const provider = await openProvider(process.env, (line) => console.log(line))
    const ports = await choosePorts({ postgres: {}, redis: {}, supabase: {} })
    const logFile = (name: string) => join(paths.logs, `${name}.log`)
    const postgres = provider.createPostgres({
      dataDir: paths.postgres,
      logFile: logFile('postgres'),
      port: ports.postgres,
      password: secrets.postgresPassword,
      durable: false,
      registry,
    })
    const redis = provider.createRedis({
      dir: paths.redis,
      logFile: logFile('redis'),
      port: ports.redis,
      password: secrets.redisPassword,
      databases: redisDatabases,
      registry,
    })
    teardown.defer(() => postgres.stop())
    teardown.defer(() => redis.stop())
    await Promise.all([postgres.start(), redis.start()])
    const { jwtSecret, publishableKey, secretKey, rolePassword } = secrets
    const keys = { jwtSecret, publishableKey, secretKey }
    await createTemplate({
      provider,
      urlOf: postgres.url,
      projectDir: paths.supabase,
      logFile: logFile('supabase'),
      port: ports.supabase,
      keys,
      rolePassword,
    })
    project.provide('tollgate', {
      dir: paths.dir,
      adminUrl: postgres.url(),
      template: templateName,
      redisUrl: redis.url(),
      redisDatabases,
      rolePassword,
      keys,
    })
    return () => teardown.run()
  } catch (error) {
    await teardown.run()
    throw error
  }
}
