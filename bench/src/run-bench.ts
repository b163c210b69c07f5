import { openAudit, USAGE_TABLES } from './audit/audit.ts'
import { findMaxRate } from './contenders/find-max-rate.ts'
import { addPopulation } from './load/population.ts'
import { readMachineFacts } from './machine-facts.ts'
import type { BenchOptions } from './read-options.ts'
import type { BenchResult, ScenarioReport } from './report/report.ts'
import type { BenchContext, Scenario } from './scenario.ts'
import { createCpuMeter } from './stack/cpu-meter.ts'
import type { BenchStack } from './stack/open-bench-stack.ts'

const POPULATION = { organizations: 50, usersEach: 20, sessionsEach: 3, limit: null } as const
// Settings of the services that change what is measured, where the environment names them.
const SETTINGS = ['SHARDS', 'BATCH_MAX_EVENTS', 'BATCH_MAX_DELAY_MS', 'BATCHES_IN_FLIGHT', 'NODE_OPTIONS']

/** Runs scenarios one after the other on one stack. @throws BenchError when totals are not exactly what was sent */
export async function runBench(
  bench: BenchStack,
  scenarios: readonly Scenario[],
  { seconds, rounds, rows }: BenchOptions,
  log: (line: string) => void,
): Promise<BenchResult> {
  const date = new Date().toISOString()
  const machine = await readMachineFacts(bench.db, bench.stack.redisUrl, bench.dir)
  const context = await openContext(bench, { seconds, rounds, log }, rows)
  const reports: ScenarioReport[] = []
  for (const scenario of scenarios) {
    log(`${scenario.name} …`)
    reports.push(await scenario.run(context))
  }
  const chosen = SETTINGS.flatMap((name) => (process.env[name] ? [`${name}=${process.env[name]}`] : []))
  return { date, settings: [`${rounds} rounds of ${seconds} s`, ...chosen], machine, scenarios: reports }
}

async function openContext(bench: BenchStack, turns: BenchContext['turns'], rows: number): Promise<BenchContext> {
  const { db, tokenApi, ingestKey } = bench
  const members = await addPopulation(db, POPULATION)
  const readCpu = createCpuMeter(bench.stack)
  const audit = openAudit(db, USAGE_TABLES)
  let maxRate: Promise<number> | undefined
  return {
    bench,
    members,
    audit,
    readCpu,
    turns,
    rows,
    findMaxRate: () => {
      maxRate ??= findMaxRate({ tokenApi, ingestKey, members, audit, readCpu }, turns)
      return maxRate
    },
  }
}
