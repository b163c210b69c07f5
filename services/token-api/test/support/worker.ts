import { type AcceptedEvent, type EventOutcome, listEvents, packOutcomes } from '@tollgate/shared/contracts'
import { createConsumer, createWorkerConnection, disconnectAll } from '@tollgate/shared/queues'
import { createPgRpc } from '@tollgate/shared/store'

/** A worker as small as can be: each job is one transaction. */
export interface TestWorker {
  /** All events that came through the queue. */
  readonly seen: AcceptedEvent[]
  stop(): Promise<void>
}

/** Records what arrives in the queue with the real `ingest_usage`. */
export function startWorker(redisUrl: string, databaseUrl: string, shards = 4): TestWorker {
  const onError = () => undefined
  const { rpc, close } = createPgRpc({
    connectionString: databaseUrl,
    max: 2,
    applicationName: 'test-worker',
    statementTimeoutMs: 5_000,
    onError,
  })
  const connection = createWorkerConnection(redisUrl, { onError })
  const seen: AcceptedEvent[] = []
  const consumer = createConsumer(
    'usage-events',
    async (job) => {
      const events = listEvents(job)
      seen.push(...events)
      const [row] = await rpc('ingest_usage', { batch: { events } })
      const outcomes: EventOutcome[] = events.map(() => ({ outcome: 'recorded' }))
      for (const { i, ...outcome } of row?.outcomes ?? []) outcomes[i] = outcome as EventOutcome
      return packOutcomes(outcomes)
    },
    { connection, shards, onError },
  )
  const stop = async () => {
    await consumer.close(2_000)
    disconnectAll(connection)
    await close()
  }
  return { seen, stop }
}
