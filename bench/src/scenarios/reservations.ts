import type pg from 'pg'
import { BenchError } from '../bench-error.ts'
import { createSendRequests, startBareServer } from '../contenders/bare-server.ts'
import { type Contender, type Run, rateOf } from '../contenders/contender.ts'
import { runInTurn, shorter } from '../contenders/run-in-turn.ts'
import { formatRequest } from '../load/http-request.ts'
import { addPopulation, type Member } from '../load/population.ts'
import type { Figure } from '../report/report.ts'
import type { Scenario } from '../scenario.ts'
import { percentile, ratioOf, spreadOf } from '../statistics.ts'

const IN_FLIGHT = 200
const ORGANIZATIONS = { organizations: 50, usersEach: 4, sessionsEach: 1, limit: 1_000_000_000_000 } as const
const GOAL = 0.5
const ANSWER = { id: '00000000-0000-4000-8000-000000000000', total_tokens: 1_000, expires_at: '', remaining: 1_000 }

/** What holding LLM tokens before a call costs, against a bare Fastify that takes the same body. */
export const reservations: Scenario = {
  name: 'reservations',
  run: async ({ bench, turns }) => {
    const members = await addPopulation(bench.db, ORGANIZATIONS)
    const bareServer = await startBareServer({ postBody: ANSWER, getBody: null })
    const contend = (name: string, url: string, path: string, status: number, from: readonly Member[]) =>
      createSendRequests({
        ...{ name, url, status, inFlight: IN_FLIGHT },
        makeRequests: async (count) =>
          Array.from({ length: count }, (_, index) => makeRequest(path, bench.ingestKey, from, index)),
      })
    const hold = async (name: string, from: readonly Member[]) =>
      auditHolds(await contend(name, bench.tokenApi, '/v1/reservations', 201, from), bench.db)
    const contenders: Contender[] = await Promise.all([
      contend('bare Fastify', bareServer.url, '/v1/events', 202, members),
      hold('holds, 50 organizations', members),
      hold('holds, one organization', members.slice(0, 4)),
    ])
    const runs = await runInTurn(contenders, shorter(turns))
    for (const contender of contenders) await contender.close()
    await bareServer.stop()
    const [bare = [], many = [], one = []] = runs.map((own) => own.map(rateOf))
    return {
      scenario: reservations.name,
      ratios: [
        { name: 'holds of 50 organizations / bare', ...ratioOf(many, bare), goal: { is: 'at least', value: GOAL } },
        { name: 'holds of one organization / bare', ...ratioOf(one, bare) },
      ],
      figures: contenders.flatMap(({ name }, index) => figuresOf(name, runs[index] ?? [])),
      notes: [`${IN_FLIGHT} in flight, each request a hold in Postgres; the bare route takes the same body`],
    }
  },
}

/** The same contender, whose every answer must be a row in Postgres. */
function auditHolds(contender: Contender, db: pg.Pool): Contender {
  const countHolds = async (): Promise<number> => {
    const { rows } = await db.query<{ holds: number }>('select count(*)::int as holds from tollgate.reservations')
    return rows[0]?.holds ?? 0
  }
  return {
    ...contender,
    run: async (count) => {
      const before = await countHolds()
      const run = await contender.run(count)
      const made = (await countHolds()) - before
      if (made !== run.count) throw new BenchError(`${contender.name}: ${run.count} were answered, ${made} are held`)
      return run
    },
  }
}

function makeRequest(path: string, token: string, members: readonly Member[], index: number): Buffer {
  const member = members[index % members.length]
  const text = JSON.stringify({
    ...{ organization_id: member?.organizationId, user_id: member?.userId, session_id: member?.sessionIds[0] },
    ...{ total_tokens: 1_000, ttl_seconds: 5 },
  })
  return formatRequest({ method: 'POST', path, token, body: { type: 'application/json', text } })
}

function figuresOf(name: string, runs: readonly Run[]): Figure[] {
  const p99 = runs.map(({ answerTimesMs }) => percentile(answerTimesMs, 99))
  return [
    { name, unit: 'requests/s', ...spreadOf(runs.map(rateOf)) },
    { name: `${name}, p99`, unit: 'ms', ...spreadOf(p99) },
  ]
}
