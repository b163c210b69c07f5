import type { Audit } from './audit/audit.ts'
import type { TurnOptions } from './contenders/run-in-turn.ts'
import type { Member } from './load/population.ts'
import type { ScenarioReport } from './report/report.ts'
import type { CpuMeter } from './stack/cpu-meter.ts'
import type { BenchStack } from './stack/open-bench-stack.ts'

/** What scenarios share: one stack, one population, one set of books. */
export interface BenchContext {
  readonly bench: BenchStack
  /** Users of unlimited organizations, whose events make the load. */
  readonly members: readonly Member[]
  readonly audit: Audit
  readonly readCpu: CpuMeter
  readonly turns: TurnOptions
  /** Rows that the ledger is filled with where its size is the question. */
  readonly rows: number
  /** Events per second that the pipeline takes at most, end to end; measured once in a run. */
  readonly findMaxRate: () => Promise<number>
}

/** A question that the bench answers. */
export interface Scenario {
  readonly name: string
  /** @throws BenchError when the totals in the database are not exactly what was sent */
  readonly run: (context: BenchContext) => Promise<ScenarioReport>
}
