import { createEnforcementCopy } from './enforcement-copy.ts'
import { type FollowOptions, followEnforcement } from './follow-enforcement.ts'
import { type FailMode, type GatedClaims, type GateVerdict, judge } from './gate.ts'
import { createLease } from './lease.ts'

/** A running gate. */
export interface Gate {
  judge(claims: GatedClaims): GateVerdict
  isLeased(): boolean
  stop(): void
}

/** What a gate stands on. */
export interface GateOptions extends Omit<FollowOptions, 'copy' | 'lease'> {
  readonly failMode: FailMode
}

const LEASE_MS = 2_000

/** Opens a gate: closed at first, until the organizations' enforcement has been read. */
export function openGate(options: GateOptions): Gate {
  const copy = createEnforcementCopy()
  const lease = createLease(LEASE_MS, options.monotonicNow)
  const follower = followEnforcement({ ...options, copy, lease })
  return {
    judge: (claims) => judge(claims, copy.get(claims.organization.id), lease.isHeld(), options.failMode),
    isLeased: lease.isHeld,
    stop: follower.stop,
  }
}
