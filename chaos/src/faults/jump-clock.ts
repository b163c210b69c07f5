import { type Inject, last } from './fault-context.ts'

/** A process's wall clock jumps, and jumps back after the fault's time. */
export const jumpClock: Inject = async ({ clocks }, { target, seconds, amount }, stopping) => {
  clocks.set(target, amount)
  await last(seconds, stopping)
  clocks.set(target, 0)
}
