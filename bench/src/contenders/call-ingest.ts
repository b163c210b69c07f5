import { joinEvents, writeEvents } from '@tollgate/shared/contracts'
import { shardOf } from '@tollgate/shared/queues'
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
  /**
   * Each connection has organizations of its own, as transactions of the worker have: batches of all organizations wait for
   * each other's rows.
   */
  readonly areApart?: boolean
}

/** `ingest_usage` called directly, with the rights of the usage worker; the text that it would send is made beforehand. */
export async function createCallIngest(
  { databaseUrl, members, audit, readCpu, newId, label = '', areApart = false }: CallIngestOptions,
  { batchSize, connections }: InsertShape,
): Promise<Contender> {
  const { clients, close } = await openClients(databaseUrl, connections, 'tollgate_usage_worker')
  return {
    name: `ingest_usage${label}, ${connections} × ${batchSize}`,
    firstCount: batchSize * connections,
    run: async (count) => {
      const rows = makeEvents(members, count, newId).map(toRow)
      audit.note(rows)
      const toTexts = (part: typeof rows) =>
        inBatches(part, batchSize).map((events) => joinEvents([writeEvents(events)]).json)
      const isOf = (place: number) => (row: (typeof rows)[number]) =>
        shardOf(row.organization_id, connections) === place
      const parts = areApart ? clients.map((_, place) => toTexts(rows.filter(isOf(place)))) : [toTexts(rows)]
      const workParts = () =>
        Promise.all(
          parts.map((texts, part) => workOff(areApart ? clients.slice(part, part + 1) : clients, texts, ingest)),
        )
      const { seconds, cpuUs } = await time(workParts, readCpu)
      await audit.requireExact()
      return { count, seconds, answerTimesMs: [], cpuUs }
    },
    close,
  }
}

async function ingest(client: pg.Client, text: string): Promise<void> {
  await client.query({ name: 'ingest', text: 'select * from public.ingest_usage(batch => $1)', values: [text] })
}
