import { type CpuMeter, type CpuTimes, subtract } from '../stack/cpu-meter.ts'

/** One measurement. */
export interface Run {
  /** What was done: events or requests. */
  readonly count: number
  readonly seconds: number
  /** How long each HTTP answer took; empty where there was none. */
  readonly answerTimesMs: readonly number[]
  /** Processor time that the processes used meanwhile, where it was measured. */
  readonly cpuUs: CpuTimes
}

/** One way of doing the same work. */
export interface Contender {
  readonly name: string
  /** What the first run does, which warms up and finds out how much fits into the time. */
  readonly firstCount: number
  /** Its last run before its turn, where it was tried against others and so needs no warm-up. */
  readonly warm?: Run
  /** Does the work `count` times (or a little more, to fill a batch); what is made beforehand is not in the time. */
  run(count: number): Promise<Run>
  close(): Promise<void>
}

/** Things done per second. */
export function rateOf({ count, seconds }: Run): number {
  return count / seconds
}

/** Runs something and takes its time; with a meter, the processor time of all processes too. */
export async function time<Result>(
  work: () => Promise<Result>,
  readCpu: CpuMeter = () => ({}),
): Promise<{ result: Result; seconds: number; cpuUs: CpuTimes }> {
  const before = readCpu()
  const startedAtMs = performance.now()
  const result = await work()
  const seconds = (performance.now() - startedAtMs) / 1_000
  return { result, seconds, cpuUs: subtract(readCpu(), before) }
}
