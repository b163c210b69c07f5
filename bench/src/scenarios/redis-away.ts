import { setTimeout as delay } from 'node:timers/promises'
import { openHttpConnections } from '../load/http-connection.ts'
import { makeEvents } from '../load/make-events.ts'
import { sendPaced } from '../load/send-paced.ts'
import { batchRequest, requireAccepted, type UsageRequest } from '../load/usage-requests.ts'
import type { BenchContext, Scenario } from '../scenario.ts'
import { percentile, spreadOf } from '../statistics.ts'

const BATCH_SIZE = 100
/** Of the rate that the whole pipeline reaches: the inbox is the spare wheel. */
const PART_OF_MAX_RATE = 0.25
const CONNECTIONS = 16
const GOAL_P99_MS = 100
const GOAL_RECOVERY_MS = 15_000
const POLL_MS = 50

interface TimedRequest extends UsageRequest {
  sentAtMs: number
}

/** How ingest goes on through the inbox while Redis is away, and how soon it is back with it. */
export const redisAway: Scenario = {
  name: 'redis-away',
  run: async (context) => {
    const { bench, audit, turns } = context
    const { redis } = bench.stack
    const perSecond = Math.max(1, ((await context.findMaxRate()) * PART_OF_MAX_RATE) / BATCH_SIZE)
    const rounds: number[][] = []
    const recoveriesMs: number[] = []
    for (let round = 1; round <= turns.rounds; round++) {
      await redis.kill('SIGKILL')
      const timesMs = await send(context, Math.ceil(perSecond * turns.seconds), perSecond)
      rounds.push(timesMs)
      const startedAtMs = performance.now()
      await redis.start()
      await untilRedisTakes(context)
      await audit.waitUntilVisible()
      recoveriesMs.push(performance.now() - startedAtMs)
      await audit.requireExact()
      turns.log(`  round ${round} of ${turns.rounds}: p99 ${Math.round(percentile(timesMs, 99))} ms`)
    }
    return {
      scenario: redisAway.name,
      ratios: [],
      figures: [
        { name: 'answer to a post, p50', unit: 'ms', ...spreadOf(rounds.map((timesMs) => percentile(timesMs, 50))) },
        {
          name: 'answer to a post, p99',
          unit: 'ms',
          ...spreadOf(rounds.map((timesMs) => percentile(timesMs, 99))),
          goal: { is: 'at most', value: GOAL_P99_MS },
        },
        {
          name: 'from the start of Redis until it takes events and all is recorded',
          unit: 'ms',
          ...spreadOf(recoveriesMs),
          goal: { is: 'at most', value: GOAL_RECOVERY_MS },
        },
      ],
      notes: [
        `Redis is killed before each round; batches of ${BATCH_SIZE}, ${perSecond.toFixed(1)} a second (a quarter of the maximum rate), sent at fixed times (open loop)`,
        'every event was found in the ledger and in the rollups, once',
      ],
    }
  },
}

async function send({ bench, members, audit }: BenchContext, batches: number, perSecond: number): Promise<number[]> {
  const requests = Array.from({ length: batches }, (): TimedRequest => {
    const events = makeEvents(members, BATCH_SIZE)
    audit.note(events.map(({ data }) => data))
    return { ...batchRequest(events, bench.ingestKey), sentAtMs: 0 }
  })
  const connections = await openHttpConnections(bench.tokenApi, Math.min(CONNECTIONS, batches))
  const timesMs: number[] = []
  await sendPaced({
    connections,
    perSecond,
    next: () => {
      const request = requests.shift()
      if (request !== undefined) request.sentAtMs = performance.now()
      return request
    },
    onAnswer: (request, answer) => {
      requireAccepted(request, answer)
      timesMs.push(performance.now() - request.sentAtMs)
    },
  })
  for (const connection of connections) connection.close()
  return timesMs
}

/** Posts batches until one has gone to Redis and not to the inbox. */
async function untilRedisTakes(context: BenchContext): Promise<void> {
  const before = await acceptedByRedis(context)
  while ((await acceptedByRedis(context)) === before) {
    await send(context, 1, 1)
    await delay(POLL_MS)
  }
}

async function acceptedByRedis({ bench }: BenchContext): Promise<number> {
  const text = await fetch(`${bench.tokenApi}/metrics`).then((response) => response.text())
  return Number(/tollgate_events_accepted_total\{path="redis"[^}]*\} (\d+)/.exec(text)?.[1] ?? 0)
}
