import { type AnnounceOptions, type Announcer, createAnnouncer } from './announce-revocations.ts'
import { createEnforcementCopy } from './enforcement-copy.ts'
import { type FollowOptions, followEnforcement } from './follow-enforcement.ts'
import { followRevocations } from './follow-revocations.ts'
import { type GatedClaims, type GateSettings, type GateVerdict, judge } from './gate.ts'
import { createLease } from './lease.ts'
import { createRevocationCopy } from './revocations.ts'

/** A running gate. */
export interface Gate {
  judge(claims: GatedClaims): GateVerdict
  /** Tells every gate what to refuse from now on; see `Announcer`. */
  announce: Announcer['announce']
  announceState: Announcer['announceState']
  isLeased(): boolean
  /** Revocations that are held in memory. */
  revocationCount(): number
  stop(): void
}

/** What a gate stands on. */
export interface GateOptions extends Omit<FollowOptions, 'copy' | 'lease' | 'leaseMs' | 'revocations'>, GateSettings {
  readonly now: () => number
  readonly newId: () => string
  readonly onAnnounced: AnnounceOptions['onAnnounced']
}

const LEASE_MS = 2_000

/** Opens a gate: closed at first in either fail mode, until enforcement and revocations have been read. */
export function openGate(options: GateOptions): Gate {
  const copy = createEnforcementCopy()
  const revoked = createRevocationCopy()
  const lease = createLease(LEASE_MS, options.monotonicNow)
  const announcer = createAnnouncer({ ...options, copy: revoked, enforcement: copy, leaseMs: LEASE_MS })
  const revocations = followRevocations({ ...options, copy: revoked, enforcement: copy, announcer })
  let isLoaded = false
  const onReload: GateOptions['onReload'] = (source) => {
    isLoaded = true
    options.onReload(source)
  }
  const follower = followEnforcement({ ...options, onReload, copy, revocations, lease, leaseMs: LEASE_MS })
  return {
    judge: (claims) => {
      // A revocation that is known holds with or without a lease.
      const reason = revoked.refusalOf(claims)
      if (reason !== undefined) return { accepted: false, reason }
      // Fail open goes on with what was known last; an instance that never loaded anything knows nothing to go on with.
      if (!isLoaded) return { accepted: false, reason: 'gate_unavailable' }
      return judge(claims, copy.get(claims.organization.id, claims.sub), lease.isHeld(), options, options.now())
    },
    announce: announcer.announce,
    announceState: announcer.announceState,
    isLeased: lease.isHeld,
    revocationCount: () => revoked.size,
    stop: follower.stop,
  }
}
