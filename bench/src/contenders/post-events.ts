import type { Audit } from '../audit/audit.ts'
import { openHttpConnections } from '../load/http-connection.ts'
import { inBatches, makeEvents } from '../load/make-events.ts'
import type { Member } from '../load/population.ts'
import { sendAll } from '../load/send-all.ts'
import { batchRequest, requireAccepted, singleRequest } from '../load/usage-requests.ts'
import type { CpuMeter } from '../stack/cpu-meter.ts'
import { type Contender, time } from './contender.ts'

/** What posting events needs. */
export interface PostEventsOptions {
  readonly tokenApi: string
  readonly ingestKey: string
  readonly members: readonly Member[]
  readonly audit: Audit
  readonly readCpu: CpuMeter
  /** Events of a request; 1 uses CloudEvents' structured mode. */
  readonly batchSize: number
  /** Requests in flight. */
  readonly inFlight: number
}

/** The whole pipeline: `POST /v1/events` until every event is visible in usage_metrics. */
export async function createPostEvents(options: PostEventsOptions): Promise<Contender> {
  const { tokenApi, ingestKey, members, audit, readCpu, batchSize, inFlight } = options
  const connections = await openHttpConnections(tokenApi, inFlight)
  return {
    name: batchSize === 1 ? 'single posts' : `batches of ${batchSize}`,
    firstCount: inFlight * batchSize,
    run: async (count) => {
      const batches = inBatches(makeEvents(members, Math.ceil(count / batchSize) * batchSize), batchSize)
      for (const batch of batches) audit.note(batch.map(({ data }) => data))
      const requests = batches.flatMap((batch) =>
        batchSize === 1 ? batch.map((event) => singleRequest(event, ingestKey)) : [batchRequest(batch, ingestKey)],
      )
      const run = async () => {
        const timesMs = await sendAll(connections, requests, requireAccepted)
        await audit.waitUntilVisible()
        return timesMs
      }
      const { result: answerTimesMs, seconds, cpuUs } = await time(run, readCpu)
      await audit.requireExact()
      return { count: batches.length * batchSize, seconds, answerTimesMs, cpuUs }
    },
    close: async () => {
      for (const connection of connections) connection.close()
    },
  }
}
