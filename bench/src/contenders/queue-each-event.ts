import { join } from 'node:path'
import { Queue } from 'bullmq'
import { Redis } from 'ioredis'
import type pg from 'pg'
import { type Audit, type AuditedTables, openAudit } from '../audit/audit.ts'
import { inBatches, makeEvents, toRow } from '../load/make-events.ts'
import type { Member } from '../load/population.ts'
import { NAIVE_TABLES } from '../naive-worker/record-event.ts'
import { startProcess } from '../stack/start-process.ts'
import { type Contender, time } from './contender.ts'

/** What the naive pipeline stands on. */
export interface QueueEachOptions {
  readonly redisUrl: string
  readonly databaseUrl: string
  readonly members: readonly Member[]
  readonly audit: Audit
  /** Events that the worker handles at a time, each on a connection of its own. */
  readonly concurrency: number
}

const NAIVE_AUDITED: AuditedTables = {
  totals: `
    select 'naive_events' as name, count(*) as events, sum(input_tokens) as input, sum(output_tokens) as output
      from bench.naive_events
    union all select 'naive_usage_metrics', sum(event_count), sum(input_tokens), sum(output_tokens)
      from bench.naive_usage_metrics
    union all select 'naive_usage_by_model', sum(event_count), sum(input_tokens), sum(output_tokens)
      from bench.naive_usage_by_model`,
  visible: 'select coalesce(sum(event_count), 0)::float8 as events from bench.naive_usage_metrics',
}
const ADDED_AT_A_TIME = 100

/** Creates the tables of the naive pipeline and opens their books. */
export async function openNaiveTables(db: pg.Pool): Promise<Audit> {
  await db.query(NAIVE_TABLES)
  return openAudit(db, NAIVE_AUDITED)
}

/**
 * One BullMQ job and four statements per event, in a worker process. It is spared HTTP and checks, and its jobs are
 * added a hundred at a time: what is measured is the cost of a job and a transaction for each event, nothing else.
 */
export async function createQueueEach(options: QueueEachOptions): Promise<Contender> {
  const { redisUrl, databaseUrl, members, audit, concurrency } = options
  const name = `bench-naive-${concurrency}`
  const connection = new Redis(redisUrl, { maxRetriesPerRequest: null })
  const queue = new Queue(name, { connection, defaultJobOptions: { removeOnComplete: true } })
  const worker = await startProcess(join(import.meta.dirname, '../naive-worker/main.ts'), {
    redisUrl,
    databaseUrl,
    queue: name,
    concurrency,
  })
  return {
    name: `a job for each event, ${concurrency} at a time`,
    firstCount: 200,
    run: async (count) => {
      const events = makeEvents(members, count).map(toRow)
      audit.note(events)
      const { seconds } = await time(async () => {
        for (const batch of inBatches(events, ADDED_AT_A_TIME)) {
          await queue.addBulk(batch.map((data) => ({ name: 'usage', data })))
        }
        await audit.waitUntilVisible()
      })
      await audit.requireExact()
      return { count, seconds, answerTimesMs: [], cpuUs: {} }
    },
    close: async () => {
      await worker.stop()
      await queue.close()
      connection.disconnect()
    },
  }
}
