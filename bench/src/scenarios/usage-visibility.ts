import { openHttpConnections } from '../load/http-connection.ts'
import { makeEvent, makeEvents } from '../load/make-events.ts'
import { addPopulation, type Member } from '../load/population.ts'
import { sendPaced } from '../load/send-paced.ts'
import { batchRequest, requireAccepted, type UsageRequest } from '../load/usage-requests.ts'
import { type VisibilityWatch, watchVisibility } from '../load/watch-visibility.ts'
import type { Figure } from '../report/report.ts'
import type { BenchContext, Scenario } from '../scenario.ts'
import { median, percentile } from '../statistics.ts'

const BATCH_SIZE = 100
const CONNECTIONS = 64
const GOAL_P99_MS = 250
const PROBES = { organizations: 20, usersEach: 25, sessionsEach: 1, limit: null } as const

/** A batch in which one event is of a probe: a user whom nobody else writes for. */
interface ProbedRequest extends UsageRequest {
  readonly probe: string
}

/** How long an accepted event takes to be visible in usage_metrics, at half of the maximum rate. */
export const usageVisibility: Scenario = {
  name: 'usage-visibility',
  run: async (context) => {
    const { bench, audit, turns } = context
    const rate = (await context.findMaxRate()) / 2
    const probes = await addPopulation(bench.db, PROBES)
    const rounds: number[][] = []
    const watch = watchVisibility(bench.db)
    await measure(context, probes, watch, rate, 0.5)
    for (let round = 1; round <= turns.rounds; round++) {
      const timesMs = await measure(context, probes, watch, rate, turns.seconds)
      rounds.push(timesMs)
      turns.log(`  round ${round} of ${turns.rounds}: p99 ${Math.round(percentile(timesMs, 99))} ms`)
    }
    await audit.waitUntilVisible()
    await audit.requireExact()
    return {
      scenario: usageVisibility.name,
      ratios: [],
      figures: [
        toFigure('accepted until visible, p50', 50, rounds),
        { ...toFigure('accepted until visible, p99', 99, rounds), goal: { is: 'at most', value: GOAL_P99_MS } },
      ],
      notes: [
        `at ${Math.round(rate).toLocaleString('en-US')} events/s in batches of ${BATCH_SIZE}, sent at fixed times (open loop)`,
        `from the answer to the post; one event of each batch is watched: ${rounds.flat().length} in all`,
      ],
    }
  },
}

/** Sends for some seconds and gives how long each watched event took. */
async function measure(
  { bench, members, audit }: BenchContext,
  probes: readonly Member[],
  watch: VisibilityWatch,
  rate: number,
  seconds: number,
): Promise<number[]> {
  const requests = Array.from({ length: Math.ceil((rate * seconds) / BATCH_SIZE) }, (_, index): ProbedRequest => {
    const probe = probes[index % probes.length]
    if (probe === undefined) throw new RangeError('there is no probe')
    const events = [makeEvent([probe]), ...makeEvents(members, BATCH_SIZE - 1)]
    audit.note(events.map(({ data }) => data))
    return { ...batchRequest(events, bench.ingestKey), probe: probe.userId }
  })
  const connections = await openHttpConnections(bench.tokenApi, CONNECTIONS)
  const watching = watch.start()
  await sendPaced({
    connections,
    perSecond: rate / BATCH_SIZE,
    next: () => requests.shift(),
    onAnswer: (request, answer) => {
      requireAccepted(request, answer)
      watch.expect(request.probe)
    },
  })
  for (const connection of connections) connection.close()
  watch.end()
  return watching
}

function toFigure(name: string, percent: number, rounds: readonly number[][]): Figure {
  const each = rounds.map((timesMs) => percentile(timesMs, percent))
  return { name, unit: 'ms', value: median(each), min: Math.min(...each), max: Math.max(...each) }
}
