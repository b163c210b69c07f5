import { createSendRequests, startBareServer } from '../contenders/bare-server.ts'
import { createCallIngest } from '../contenders/call-ingest.ts'
import { type Contender, type Run, rateOf } from '../contenders/contender.ts'
import { BATCHED } from '../contenders/find-max-rate.ts'
import { createInsertRaw, openRawTable } from '../contenders/insert-raw.ts'
import { INSERT_SHAPES } from '../contenders/insert-shape.ts'
import { createPostEvents } from '../contenders/post-events.ts'
import { createQueueEach, openNaiveTables } from '../contenders/queue-each-event.ts'
import { pickFastest, runInTurn } from '../contenders/run-in-turn.ts'
import { makeEvents } from '../load/make-events.ts'
import { singleRequest } from '../load/usage-requests.ts'
import type { Figure, Ratio } from '../report/report.ts'
import type { BenchContext, Scenario } from '../scenario.ts'
import { readMemoryMb, readPeakMemoryMb } from '../stack/read-memory.ts'
import { percentile, ratioOf, spreadOf } from '../statistics.ts'

const SINGLE = { batchSize: 1, inFlight: 128 } as const
const NAIVE_CONCURRENCY = [10, 40]
const MEMORY_GOAL_MB = 250
const NAMES = ['a', 'b', 'bare', 'c', 'c apart', 'd', 'e'] as const

type Name = (typeof NAMES)[number]
type RunsOf = (name: Name) => readonly Run[]

/** How fast events are counted, end to end, against what its parts and simpler designs reach. */
export const usagePipeline: Scenario = {
  name: 'usage-pipeline',
  run: async (context) => {
    const { contenders, close } = await openContenders(context)
    const all = NAMES.map((name) => contenders[name])
    const before = readMemories(context)
    const runs = await runInTurn(all, context.turns)
    await close()
    const runsOf: RunsOf = (name) => runs[NAMES.indexOf(name)] ?? []
    return {
      scenario: usagePipeline.name,
      ratios: compare(runsOf),
      figures: [
        ...rates(runsOf, contenders),
        ...answerTimes(runsOf),
        ...processorTimes(runsOf),
        ...eventsPerCore(runsOf),
        ...memory(context, before),
      ],
      notes: [
        `${describePopulation(context)}; the load generator runs on the same cores`,
        'a, b: from the first request until the last event is visible in usage_metrics',
        'c, d: the fastest of several batch sizes and numbers of connections; what they send is made beforehand',
        'c: batches of all organizations wait for rows of each other, unless each connection has its own organizations',
        'e: no HTTP and no checks; jobs are added a hundred at a time; the faster of two concurrencies',
      ],
    }
  },
}

async function openContenders({ bench, members, audit, readCpu, turns }: BenchContext) {
  const { tokenApi, ingestKey, db } = bench
  const { databaseUrl, redisUrl } = bench.stack
  const [rawAudit, naiveAudit] = [await openRawTable(db), await openNaiveTables(db)]
  const bareServer = await startBareServer({ postBody: { accepted: 1, rejected: [] }, getBody: null })
  const posting = { tokenApi, ingestKey, members, audit, readCpu }
  const calling = { databaseUrl, members, audit, readCpu }
  const apart = { ...calling, areApart: true, label: ' by organizations of its own' }
  const naive = { redisUrl, databaseUrl, members, audit: naiveAudit }
  const contenders: Record<Name, Contender> = {
    a: await createPostEvents({ ...posting, ...BATCHED }),
    b: await createPostEvents({ ...posting, ...SINGLE }),
    bare: await createSendRequests({
      name: 'single posts to a bare Fastify',
      url: bareServer.url,
      inFlight: SINGLE.inFlight,
      status: 202,
      makeRequests: async (count) => makeEvents(members, count).map((event) => singleRequest(event, ingestKey).bytes),
    }),
    c: await pickFastest(INSERT_SHAPES, (shape) => createCallIngest(calling, shape), turns),
    'c apart': await pickFastest(INSERT_SHAPES, (shape) => createCallIngest(apart, shape), turns),
    d: await pickFastest(INSERT_SHAPES, (shape) => createInsertRaw(databaseUrl, members, rawAudit, shape), turns),
    e: await pickFastest(NAIVE_CONCURRENCY, (concurrency) => createQueueEach({ ...naive, concurrency }), turns),
  }
  const close = async () => {
    await Promise.all(Object.values(contenders).map((contender) => contender.close()))
    await bareServer.stop()
  }
  return { contenders, close }
}

function compare(runsOf: RunsOf): Ratio[] {
  const ratio = (name: string, one: Name, other: Name, goal?: number): Ratio => ({
    name,
    ...ratioOf(runsOf(one).map(rateOf), runsOf(other).map(rateOf)),
    ...(goal === undefined ? {} : { goal: { is: 'at least', value: goal } }),
  })
  return [
    ratio('a / c: end to end against ingest_usage called directly', 'a', 'c', 0.85),
    ratio('a / c, each connection with organizations of its own', 'a', 'c apart'),
    ratio('a / d: against a raw indexed insert of the same rows', 'a', 'd', 0.3),
    ratio('a / e: against a job and four statements per event', 'a', 'e', 25),
    ratio('b / bare: single posts against a bare Fastify', 'b', 'bare', 0.4),
  ]
}

function rates(runsOf: RunsOf, contenders: Readonly<Record<Name, Contender>>): Figure[] {
  return NAMES.map((name) => ({
    name: name === 'bare' ? contenders[name].name : `${name}: ${contenders[name].name}`,
    unit: name === 'bare' ? 'requests/s' : 'events/s',
    ...spreadOf(runsOf(name).map(rateOf)),
  }))
}

function answerTimes(runsOf: RunsOf): Figure[] {
  return (['a', 'b'] as const).flatMap((name) =>
    [50, 99].map((percent) => ({
      name: `${name}: answer to a post, p${percent}`,
      unit: 'ms' as const,
      ...spreadOf(runsOf(name).map(({ answerTimesMs }) => percentile(answerTimesMs, percent))),
    })),
  )
}

/** Processor time by process for each event: where the time goes, whatever else the machine does. */
function processorTimes(runsOf: RunsOf): Figure[] {
  return (['a', 'b', 'c'] as const).flatMap((name) => {
    const processes = Object.keys(runsOf(name)[0]?.cpuUs ?? {})
    const perEvent = (process: string) => runsOf(name).map(({ cpuUs, count }) => (cpuUs[process] ?? 0) / count)
    return processes.map((process) => ({
      name: `${name}: processor time of ${process}, per event`,
      unit: 'µs' as const,
      ...spreadOf(perEvent(process)),
    }))
  })
}

/** What one core takes when it does nothing else: services, PostgreSQL and Redis together, without the load generator. */
function eventsPerCore(runsOf: RunsOf): Figure[] {
  return (['a', 'b'] as const).flatMap((name) => {
    const perEventUs = runsOf(name).map(({ cpuUs, count }) => {
      const { 'load generator': _, ...servers } = cpuUs
      return Object.values(servers).reduce((sum, usedUs) => sum + usedUs, 0) / count
    })
    if (perEventUs.some((usedUs) => usedUs === 0)) return []
    const figure = spreadOf(perEventUs.map((usedUs) => 1_000_000 / usedUs))
    return [{ name: `${name}: events that a core takes, of all processes`, unit: 'events/s' as const, ...figure }]
  })
}

function countedServices({ bench }: BenchContext) {
  return [bench.stack.services['token-api'], bench.stack.services['usage-worker']]
}

function readMemories(context: BenchContext): (number | undefined)[] {
  return countedServices(context).map(({ pid }) => readMemoryMb(pid))
}

/** What the services have at most, and what they have after the rounds beyond what they had after the warm-up. */
function memory(context: BenchContext, before: readonly (number | undefined)[]): Figure[] {
  const after = readMemories(context)
  return countedServices(context).flatMap(({ name, pid }, index) => {
    const peak = readPeakMemoryMb(pid)
    if (peak === undefined) return []
    const goal = { is: 'at most', value: MEMORY_GOAL_MB } as const
    const growth = (after[index] ?? 0) - (before[index] ?? 0)
    return [
      { name: `most memory of ${name}`, unit: 'MB' as const, ...spreadOf([peak]), goal },
      { name: `memory of ${name}, growth over the rounds`, unit: 'MB' as const, ...spreadOf([growth]) },
    ]
  })
}

function describePopulation({ members }: BenchContext): string {
  const organizations = new Set(members.map(({ organizationId }) => organizationId)).size
  const sessions = members.reduce((sum, { sessionIds }) => sum + sessionIds.length, 0)
  return `events of ${organizations} organizations, ${members.length} users, ${sessions} chat sessions, evenly`
}
