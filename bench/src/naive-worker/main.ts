// The naive worker as a process: one BullMQ job per event, four statements in a transaction for each.
import { Worker } from 'bullmq'
import { Redis } from 'ioredis'
import pg from 'pg'
import { z } from 'zod'
import type { UsageRow } from '../load/make-events.ts'
import { claim, record } from './record-event.ts'

const startMessage = z.object({
  redisUrl: z.string(),
  databaseUrl: z.string(),
  queue: z.string(),
  concurrency: z.int(),
})

async function recordInTransaction(pool: pg.Pool, event: UsageRow): Promise<void> {
  const client = await pool.connect()
  try {
    await client.query('begin')
    const { rowCount } = await client.query(...claim(event))
    if (rowCount === 1) for (const [text, values] of record(event)) await client.query(text, values)
    await client.query('commit')
  } finally {
    client.release()
  }
}

process.once('message', (message) => {
  const { redisUrl, databaseUrl, queue, concurrency } = startMessage.parse(message)
  const pool = new pg.Pool({ connectionString: databaseUrl, max: concurrency })
  const connection = new Redis(redisUrl, { maxRetriesPerRequest: null })
  const worker = new Worker<UsageRow>(queue, (job) => recordInTransaction(pool, job.data), { connection, concurrency })
  worker.on('failed', (_job, error) => console.error(error))
  void worker.waitUntilReady().then(() => process.send?.('ready'))
})
process.once('disconnect', () => process.exit(0))
