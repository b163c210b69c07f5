import { setTimeout as delay } from 'node:timers/promises'
import { describeFault, type Fault } from '../schedule/fault.ts'

/** What became of a fault; times are seconds after the first one. */
export interface FaultRecord extends Fault {
  readonly beganSeconds: number
  readonly endedSeconds: number
}

/** What became of a schedule. */
export interface ScheduleRecord {
  readonly faults: readonly FaultRecord[]
  /** By round: from the end of its last fault until everything answered. */
  readonly recoverySeconds: readonly number[]
}

/** What a schedule is run with. */
export interface ScheduleTools {
  readonly inject: (fault: Fault) => Promise<void>
  /** Resolves as soon as everything answers. Rejects when that takes too long. */
  readonly untilWell: () => Promise<void>
  readonly log: (line: string) => void
  /** Ends the waiting for the next fault; the schedule then rejects. */
  readonly stopping?: AbortSignal
}

/**
 * Plays round after round: the faults of one overlap as planned, and the next begins at its time, but not before everything
 * is well again. @throws what a fault throws
 */
export async function runSchedule(faults: readonly Fault[], tools: ScheduleTools): Promise<ScheduleRecord> {
  const startMs = performance.now()
  const wait = (seconds: number) => delay(Math.max(0, seconds * 1_000), undefined, { signal: tools.stopping })
  const nowSeconds = () => (performance.now() - startMs) / 1_000
  const records: FaultRecord[] = []
  const recoverySeconds: number[] = []
  for (const round of roundsOf(faults)) {
    const plannedSeconds = round[0]?.atSeconds ?? 0
    await wait(plannedSeconds - nowSeconds())
    const run = async (fault: Fault): Promise<FaultRecord> => {
      await wait(fault.atSeconds - plannedSeconds)
      tools.log(describeFault(fault))
      const beganSeconds = round1(nowSeconds())
      await tools.inject(fault)
      return { ...fault, beganSeconds, endedSeconds: round1(nowSeconds()) }
    }
    records.push(...(await Promise.all(round.map(run))))
    const endedSeconds = nowSeconds()
    await tools.untilWell()
    recoverySeconds.push(round1(nowSeconds() - endedSeconds))
    tools.log(`  well again after ${recoverySeconds.at(-1)} s`)
  }
  return { faults: records, recoverySeconds }
}

function roundsOf(faults: readonly Fault[]): Fault[][] {
  const numbers = [...new Set(faults.map(({ round }) => round))]
  return numbers.map((number) => faults.filter(({ round }) => round === number))
}

const round1 = (value: number): number => Math.round(value * 10) / 10
