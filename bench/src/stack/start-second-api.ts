import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { resolve } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { BenchError } from '../bench-error.ts'
import type { BenchStack } from './open-bench-stack.ts'

const MAIN = resolve(import.meta.dirname, '../../../services/token-api/src/main.ts')
const START_MS = 30_000

/** A second token API beside the stack's own, on the same servers and with the same keys. */
export async function startSecondApi({ stack, tokenSecret, refreshSecret }: BenchStack) {
  const { supabase, databaseUrl, redisUrl } = stack.describe()
  const child = spawn(process.execPath, [MAIN], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: {
      ...process.env,
      NODE_ENV: 'production',
      LOG_LEVEL: 'info',
      PORT: '0',
      DATABASE_URL: databaseUrl,
      REDIS_URL: redisUrl,
      SUPABASE_URL: supabase.url,
      LIBRECHAT_JWT_SECRET: tokenSecret,
      JWT_REFRESH_SECRET: refreshSecret,
      RATE_LIMITS: 'off',
    },
  })
  let output = ''
  child.stdout.on('data', (chunk: Buffer) => {
    output = (output + chunk.toString()).slice(-10_000)
  })
  const deadlineMs = performance.now() + START_MS
  for (;;) {
    const url = /"url":"(http:[^"]+)"/.exec(output)?.[1]
    if (url !== undefined && (await fetch(`${url}/readyz`)).ok) return { url, stop: () => end(child) }
    if (performance.now() > deadlineMs || child.exitCode !== null) {
      child.kill('SIGKILL')
      throw new BenchError(`The second token API did not start.\n${output}`)
    }
    await delay(100)
  }
}

async function end(child: ReturnType<typeof spawn>): Promise<void> {
  child.kill('SIGTERM')
  if (child.exitCode === null) await once(child, 'exit')
}
