import { BenchError } from '../bench-error.ts'
import { killInTurn } from '../holds/kill-in-turn.ts'
import { spendRemainder, spendUnderFaults } from '../holds/spend-under-faults.ts'
import { addPopulation } from '../load/population.ts'
import type { Figure } from '../report/report.ts'
import type { BenchContext, Scenario } from '../scenario.ts'

const SECONDS = 60
const ROUND_SECONDS = 15
const CLIENTS = 200
const LIMIT = 1_000_000

/** By how much an organization passes its limit when all its calls are reserved, while everything is killed in turn. */
export const holdFaults: Scenario = {
  name: 'hold-faults',
  run: async (context) => {
    const { bench, audit, turns } = context
    const secondApi = await bench.stack.addService('token-api')
    const options = {
      urls: [bench.tokenApi, secondApi.url],
      key: bench.ingestKey,
      members: await addPopulation(bench.db, { organizations: 1, usersEach: 20, sessionsEach: 2, limit: LIMIT }),
      ...{ clients: CLIENTS, seconds: SECONDS },
      onEvent: ({ data }: { data: Parameters<BenchContext['audit']['note']>[0][number] }) => audit.note([data]),
    }
    let kills = 0
    const run = await spendUnderFaults(bench.db, LIMIT, options, async () => {
      kills = await killInTurn(bench.stack, secondApi, SECONDS, ROUND_SECONDS)
    })
    await secondApi.stop()
    const { spending, worstExcess, end } = run
    turns.log(`  ${kills} kills, ${spending.held} holds, ${spending.repeats} requests repeated`)
    if (worstExcess > 0 || end.usedTokens > LIMIT) throw new BenchError(`The limit was passed: ${JSON.stringify(run)}`)
    if (end.usedTokens !== spending.usedTokens) throw new BenchError(`Usage is not exact: ${JSON.stringify(run)}`)
    const statuses = await spendRemainder(LIMIT, run, { ...options, urls: [bench.tokenApi] })
    if (statuses.join() !== '201,429') throw new BenchError(`The remainder was answered ${statuses.join()}.`)
    await audit.waitUntilVisible()
    await audit.requireExact()
    const count = (name: string, value: number): Figure => ({ name, unit: 'requests/s', value, min: value, max: value })
    return {
      scenario: holdFaults.name,
      ratios: [],
      figures: [count('requests for holds answered', (spending.held + spending.refused) / SECONDS)],
      notes: [
        `${CLIENTS} clients on two instances, ${SECONDS} s, ${kills} kills (both instances, enforcer, worker; Redis once): overshoot 0`,
        `${spending.held} holds: ${spending.committed} committed, ${spending.released} released, ${spending.abandoned} abandoned; ${spending.refused} refused`,
        `used + held was ${-worstExcess} LLM tokens below the limit at least; afterwards the whole remainder could be held, and not one LLM token more`,
      ],
    }
  },
}
