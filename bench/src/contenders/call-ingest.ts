import { joinEvents, writeEvents } from '@tollgate/shared/contracts'
import type pg from 'pg'
import type { Audit } from '../audit/audit.ts'
import { inBatches, makeEvents, toRow } from '../load/make-events.ts'
import type { Member } from '../load/population.ts'
import type { CpuMeter } from '../stack/cpu-meter.ts'
import { type Contender, time } from './contender.ts'
import { type InsertShape, openClients, workOff } from './insert-shape.ts'

/** What calling needs. */
export interface CallIngestOptions {
  readonly databaseUrl: string
  readonly members: readonly Member[]
  readonly audit: Audit
  readonly readCpu: CpuMeter
  /** Makes the events' ids; random ones without it. */
  readonly newId?: () => string
  /** Said beside the shape. */
  readonly label?: string
}

/** `ingest_usage` called directly, with the rights of the usage worker; the text that it would send is made beforehand. */
export async function createCallIngest(
  { databaseUrl, members, audit, readCpu, newId, label = '' }: CallIngestOptions,
  { batchSize, connections }: InsertShape,
): Promise<Contender> {
  const { clients, close } = await openClients(databaseUrl, connections, 'tollgate_usage_worker')
  return {
    name: `ingest_usage${label}, ${connections} × ${batchSize}`,
    firstCount: batchSize * connections,
    run: async (count) => {
      const batches = inBatches(makeEvents(members, count, newId).map(toRow), batchSize)
      for (const batch of batches) audit.note(batch)
      const texts = batches.map((events) => joinEvents([writeEvents(events)]).json)
      const { seconds, cpuUs } = await time(() => workOff(clients, texts, ingest), readCpu)
      await audit.requireExact()
      return { count, seconds, answerTimesMs: [], cpuUs }
    },
    close,
  }
}

async function ingest(client: pg.Client, text: string): Promise<void> {
  await client.query({ name: 'ingest', text: 'select * from public.ingest_usage(batch => $1)', values: [text] })
}
