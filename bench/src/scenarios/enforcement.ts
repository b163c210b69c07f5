import { setTimeout as delay } from 'node:timers/promises'
import type pg from 'pg'
import { z } from 'zod'
import { BenchError } from '../bench-error.ts'
import { findMaxRate } from '../contenders/find-max-rate.ts'
import { type HttpConnection, openHttpConnection, openHttpConnections } from '../load/http-connection.ts'
import { formatRequest } from '../load/http-request.ts'
import { makeEvent, makeEvents } from '../load/make-events.ts'
import { addPopulation, type Member } from '../load/population.ts'
import { sendPaced } from '../load/send-paced.ts'
import { openTokenSigner, type TokenSigner } from '../load/sign-tokens.ts'
import { type Overshoot, spendUntilRefused } from '../load/spend-until-refused.ts'
import { batchRequest, requireAccepted, singleRequest } from '../load/usage-requests.ts'
import type { Figure, Goal } from '../report/report.ts'
import type { BenchContext, Scenario } from '../scenario.ts'
import { percentile } from '../statistics.ts'

const CROSSINGS = 100
const LIMIT = 100_000
const FIRST_INPUT = 1_000
// Past 120 % of the limit, where the default ladder revokes.
const CROSSING_INPUT = 200_000
const BATCH_SIZE = 100
const CONNECTIONS = 64
const POLL_MS = 4
const TIMEOUT_MS = 10_000
// What an organization may spend that is not reserved: its limit is passed by the lag times this rate.
const TOKENS_PER_SECOND = 10_000
const OVERSHOOT_LIMIT = 5_000
const OVERSHOOTS = 15
const GOAL_P50: Goal = { is: 'at most', value: 150 }
const GOAL_P99: Goal = { is: 'at most', value: 500 }
const ACTIVE = { organizations: 1_000, usersEach: 1, sessionsEach: 1, limit: null } as const

const problem = z.object({ reason: z.string() })

/** How long an organization still passes verify, on each of two instances, after the accepted event that crosses its limit. */
export const enforcement: Scenario = {
  name: 'enforcement',
  run: async (context) => {
    const { bench, audit, readCpu, turns } = context
    const active = await addPopulation(bench.db, ACTIVE)
    await introduce(context, active)
    // Of these organizations: a batch of theirs touches a hundred of them.
    const { tokenApi, ingestKey } = bench
    const rate = (await findMaxRate({ tokenApi, ingestKey, members: active, audit, readCpu }, turns)) / 2
    const second = await bench.stack.addService('token-api')
    const urls = [bench.tokenApi, second.url]
    const signer = await openTokenSigner(bench.stack.describe(), bench.tokenSecret)
    const quietMs = await cross(context, signer, urls)
    turns.log(`  quiet: p99 ${quietMs.map((own) => Math.round(percentile(own, 99))).join(' and ')} ms`)
    const { loadedMs, overshoots } = await underLoad(context, active, rate, async () => ({
      loadedMs: await cross(context, signer, urls),
      overshoots: await overshoot(context, signer, urls),
    }))
    turns.log(`  overshoot: ${overshoots.map(({ tokens }) => tokens).join(', ')} LLM tokens`)
    turns.log(`  under load: p99 ${loadedMs.map((own) => Math.round(percentile(own, 99))).join(' and ')} ms`)
    await second.stop()
    await audit.waitUntilVisible()
    await audit.requireExact()
    return {
      scenario: enforcement.name,
      ratios: [],
      figures: [
        ...loadedMs.flatMap((own, index) => [
          toFigure(`half of the maximum rate, instance ${index + 1}, p50`, own, 50, GOAL_P50),
          toFigure(`half of the maximum rate, instance ${index + 1}, p99`, own, 99, GOAL_P99),
        ]),
        toOvershoot('p50', overshoots, 50),
        toOvershoot('p99', overshoots, 99),
        ...quietMs.flatMap((own, index) => [
          toFigure(`nothing else going on, instance ${index + 1}, p50`, own, 50),
          toFigure(`nothing else going on, instance ${index + 1}, p99`, own, 99),
        ]),
      ],
      notes: [
        'from the answer to the post of the event that crosses the limit until verify refuses for the first time',
        `${CROSSINGS} crossings each, one after the other; min – max are the quickest and the slowest`,
        `without reservations: ${OVERSHOOTS} organizations at ${TOKENS_PER_SECOND.toLocaleString('en-US')} LLM tokens/s each, ten calls of 100 at a time, verify before each; accepted beyond the limit, at most the lag (${Math.round(Math.max(...overshoots.map(({ lagMs }) => lagMs)))} ms at worst) times the rate and the calls under way`,
        `load: ${Math.round(rate).toLocaleString('en-US')} events/s in batches of ${BATCH_SIZE}, of ${ACTIVE.organizations} organizations: half of what the pipeline takes from them at most`,
      ],
    }
  },
}

/** Lets new organizations cross their limits, one after the other, and gives how long each stayed in at each instance, in ms. */
async function cross(context: BenchContext, signer: TokenSigner, urls: readonly string[]): Promise<number[][]> {
  const { bench, turns } = context
  const members = await addPopulation(bench.db, {
    organizations: Math.max(CROSSINGS, turns.rounds * 10),
    usersEach: 1,
    sessionsEach: 1,
    limit: LIMIT,
  })
  const posts = await openHttpConnection(bench.tokenApi)
  const checks = await Promise.all(urls.map(openHttpConnection))
  await introduce(context, members)
  const timesMs: number[][] = urls.map(() => [])
  for (const member of members) {
    const verify = { method: 'GET', path: '/api/auth/verify', token: await signer.sign(member.organizationId) } as const
    const request = formatRequest(verify)
    await Promise.all(checks.map((connection) => requireOpen(connection, request)))
    await post(context, posts, member, CROSSING_INPUT)
    const took = await Promise.all(checks.map((connection) => timeUntilRefused(connection, request)))
    for (const [index, tookMs] of took.entries()) timesMs[index]?.push(tookMs)
  }
  for (const connection of [posts, ...checks]) connection.close()
  return timesMs
}

/** Lets organizations spend without reservations past their limits, one after the other, under a ladder that revokes at 100 %. */
async function overshoot({ bench, audit }: BenchContext, signer: TokenSigner, urls: readonly string[]) {
  const size = { organizations: OVERSHOOTS, usersEach: 1, sessionsEach: 1, limit: OVERSHOOT_LIMIT }
  const members = await addPopulation(bench.db, size)
  await bench.db.query(
    `insert into tollgate.quota_policies (organization_id, max_tokens, policy, updated_by)
     select id, $2, '{"steps": [{"at_percent": 100, "state": "revoked"}], "downgrade_to": {}}', 'bench' from unnest($1::uuid[]) id`,
    [members.map(({ organizationId }) => organizationId), OVERSHOOT_LIMIT],
  )
  const found: Overshoot[] = []
  for (const member of members) {
    const token = await signer.sign(member.organizationId)
    const verify = formatRequest({ method: 'GET', path: '/api/auth/verify', token })
    const options = { urls, key: bench.ingestKey, verify, member, perSecond: TOKENS_PER_SECOND, limit: OVERSHOOT_LIMIT }
    found.push(await spendUntilRefused({ ...options, onEvent: ({ data }) => audit.note([data]) }))
  }
  return found
}

/** The first usage of an organization always wakes the enforcer; only after that does the limit do it. */
async function introduce({ bench, audit }: BenchContext, members: readonly Member[]): Promise<void> {
  const connection = await openHttpConnection(bench.tokenApi)
  for (let from = 0; from < members.length; from += BATCH_SIZE) {
    const events = members.slice(from, from + BATCH_SIZE).map((member) => makeEvent([member], FIRST_INPUT))
    audit.note(events.map(({ data }) => data))
    const request = batchRequest(events, bench.ingestKey)
    requireAccepted(request, await connection.exchange(request.bytes))
  }
  connection.close()
  await waitUntilEvaluated(bench.db, members)
}

async function post({ bench, audit }: BenchContext, connection: HttpConnection, member: Member, inputTokens: number) {
  const event = makeEvent([member], inputTokens)
  audit.note([event.data])
  const request = singleRequest(event, bench.ingestKey)
  requireAccepted(request, await connection.exchange(request.bytes))
}

async function waitUntilEvaluated(db: pg.Pool, members: readonly Member[]): Promise<void> {
  const deadlineMs = performance.now() + TIMEOUT_MS
  const query = `select count(*)::int as evaluated from tollgate.period_totals
    where organization_id = any($1::uuid[]) and evaluate_at is distinct from 0 and not is_due`
  for (;;) {
    const { rows } = await db.query<{ evaluated: number }>(query, [members.map((member) => member.organizationId)])
    if (rows[0]?.evaluated === members.length) return
    if (performance.now() > deadlineMs) throw new BenchError('The enforcer did not look at the new organizations.')
    await delay(20)
  }
}

async function requireOpen(connection: HttpConnection, request: Buffer): Promise<void> {
  const { status, body } = await connection.exchange(request)
  if (status !== 200) throw new BenchError(`verify refused before the limit was crossed: ${status} ${body}`)
}

async function timeUntilRefused(connection: HttpConnection, request: Buffer): Promise<number> {
  const acceptedAtMs = performance.now()
  for (;;) {
    const { status, body } = await connection.exchange(request)
    const tookMs = performance.now() - acceptedAtMs
    if (status !== 200) {
      const { reason } = problem.parse(JSON.parse(body))
      if (reason === 'organization_revoked' || reason === 'superseded') return tookMs
      throw new BenchError(`verify refused for another reason than the limit: ${reason}`)
    }
    if (tookMs > TIMEOUT_MS) throw new BenchError('verify still accepts an organization that has crossed its limit.')
    await delay(POLL_MS)
  }
}

/** Runs something while events are posted at a pace. */
async function underLoad<Result>(
  { bench, audit }: BenchContext,
  members: readonly Member[],
  rate: number,
  work: () => Promise<Result>,
): Promise<Result> {
  const connections = await openHttpConnections(bench.tokenApi, CONNECTIONS)
  let hasEnded = false
  const sending = sendPaced({
    connections,
    perSecond: rate / BATCH_SIZE,
    next: () => {
      if (hasEnded) return undefined
      const events = makeEvents(members, BATCH_SIZE)
      audit.note(events.map(({ data }) => data))
      return batchRequest(events, bench.ingestKey)
    },
    onAnswer: requireAccepted,
  })
  try {
    const [result] = await Promise.all([
      work().finally(() => {
        hasEnded = true
      }),
      sending,
    ])
    return result
  } finally {
    for (const connection of connections) connection.close()
  }
}

function toOvershoot(name: string, overshoots: readonly Overshoot[], percent: number): Figure {
  const tokens = overshoots.map((run) => run.tokens)
  const value = percentile(tokens, percent)
  const spread = { min: Math.min(...tokens), max: Math.max(...tokens) }
  return { name: `overshoot without reservations, ${name}`, unit: 'LLM tokens', value, ...spread }
}

function toFigure(name: string, timesMs: readonly number[], percent: number, goal?: Goal): Figure {
  const value = percentile(timesMs, percent)
  return { name, unit: 'ms', value, min: Math.min(...timesMs), max: Math.max(...timesMs), ...(goal ? { goal } : {}) }
}
