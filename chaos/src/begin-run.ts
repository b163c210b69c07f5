import { setTimeout as delay } from 'node:timers/promises'
import type { LimitRun } from '@tollgate/bench/holds'
import { auditRun } from './audit/audit-run.ts'
import type { LedgerFinding } from './audit/compare-ledger.ts'
import { watchProcesses } from './audit/find-orphans.ts'
import type { Finding } from './audit/finding.ts'
import { waitUntilDrained } from './audit/wait-until-drained.ts'
import { createInjector, type Injector } from './faults/inject-fault.ts'
import { runSchedule, type ScheduleRecord } from './faults/run-schedule.ts'
import { untilWell } from './faults/until-well.ts'
import { createProbe } from './load/probe-intake.ts'
import { type Load, runLoad } from './load/run-load.ts'
import { measureSizes, type Sizes } from './report/measure-sizes.ts'
import { startSampling } from './sample/start-sampling.ts'
import type { Fault } from './schedule/fault.ts'
import { type ChaosStack, openChaosStack } from './stack/open-chaos-stack.ts'

/** How a run is made. */
export interface RunOptions {
  readonly seed: number
  readonly seconds: number
  readonly faults: readonly Fault[]
  /** false: PostgreSQL without fsync. */
  readonly durable: boolean
  /** Gives each server a disk of its own. */
  readonly ownDisks: boolean
  /** Puts into the stack's directory what it begins with. */
  readonly prepareDir?: ((dir: string) => void) | undefined
  readonly signal?: AbortSignal | undefined
  readonly log: (line: string) => void
}

/** A run under way. */
export interface Run {
  readonly chaos: ChaosStack
  readonly load: Load
  /** Lives through the faults, lets the load come to its end, and waits until everything is drained. */
  play(): Promise<Played>
  /** Compares everything; after `play`. */
  audit(played: Played): Promise<{ ledger: LedgerFinding; findings: Finding[] }>
  /** Ends faults under way and takes everything down; tells what is left behind. */
  stop(): Promise<Finding>
}

/** What a run was. */
export interface Played extends ScheduleRecord {
  readonly spending: LimitRun
  /** From the end of the load until nothing was on its way any more; null: after two minutes something still was. */
  readonly drainSeconds: number | null
  readonly sizes: Sizes
}

const WARM_UP_MS = 3_000
const TELL_MS = 10_000

/** Starts the stack and its load. Rejects when it is interrupted meanwhile, with everything taken down. */
export async function beginRun(options: RunOptions): Promise<Run> {
  const chaos = await openChaosStack(options)
  const findOrphans = watchProcesses(chaos.dir)
  const teardown: (() => unknown)[] = [chaos.stop]
  const stop = async (): Promise<Finding> => {
    for (const step of teardown.splice(0).reverse()) await step()
    return findOrphans()
  }
  try {
    const load = await runLoad(chaos, options)
    const sampling = startSampling(chaos)
    const stopping = new AbortController()
    const injector = createInjector(chaos, stopping.signal)
    // What faults have still to start or to give back comes before the stack goes down under them, or not at all.
    teardown.push(sampling.stop, injector.settle, () => stopping.abort(), load.stop)
    // Pools are opened and heaps have grown: what is compared with the end.
    await delay(WARM_UP_MS, undefined, { signal: options.signal })
    const baseline = await sampling.take()
    return {
      chaos,
      load,
      play: () => play(chaos, load, options, { inject: injector.inject, stopping: stopping.signal }),
      audit: ({ spending }) => auditRun({ chaos, load, spending, sampling, baseline }),
      stop,
    }
  } catch (error) {
    await stop()
    throw error
  }
}

async function play(
  chaos: ChaosStack,
  load: Load,
  { faults, log }: RunOptions,
  { inject, stopping }: Pick<Injector, 'inject'> & { readonly stopping: AbortSignal },
): Promise<Played> {
  const probe = createProbe(load.context, load.members)
  const record = await Promise.race([
    runSchedule(faults, {
      inject,
      untilWell: () => untilWell(chaos, probe, { log, stopping }),
      ...{ log, stopping },
    }),
    // A client that gives up ends the run at once.
    load.done.then(() => new Promise<never>(() => undefined)),
  ])
  log('The last fault is over; the load comes to its end …')
  load.stop()
  const spending = await withProgress(load, log)
  await untilWell(chaos, probe, { log, stopping })
  await load.settle()
  log('Waiting until everything is drained …')
  const drainSeconds = await waitUntilDrained(chaos)
  return { ...record, spending, drainSeconds, sizes: await measureSizes(chaos.db, chaos.redis) }
}

/** Waits for the load; says who is not done yet, and why, when that takes long. */
async function withProgress({ done, busy, context }: Load, log: (line: string) => void): Promise<LimitRun> {
  const tell = () => log(`  not done: ${[...busy].join(', ')} ${JSON.stringify([...context.troubles])}`)
  const timer = setInterval(tell, TELL_MS)
  return done.finally(() => clearInterval(timer))
}
