import type { Finding } from '../audit/finding.ts'
import type { FaultRecord } from '../faults/run-schedule.ts'
import type { Sizes } from './measure-sizes.ts'

/** What a run has shown. */
export interface ChaosResult {
  readonly seed: number
  readonly minutes: number
  readonly privileged: boolean
  readonly date: string
  /** The command that plays the same schedule again. */
  readonly command: string
  readonly isGood: boolean
  readonly accepted: number
  readonly lost: number
  readonly twice: number
  readonly drainSeconds: number | null
  /** Absent when the run did not come to its end. */
  readonly sizes?: Sizes
  readonly faults: readonly FaultRecord[]
  /** By round: from the end of its last fault until everything answered. */
  readonly recoverySeconds: readonly number[]
  /** What the clients did, by name. */
  readonly load: Readonly<Record<string, number>>
  readonly findings: readonly Finding[]
  /** Kinds of faults that were not drawn from, and why. */
  readonly skipped: readonly string[]
}
