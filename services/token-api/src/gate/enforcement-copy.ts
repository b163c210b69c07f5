import type { Enforcement } from '@tollgate/shared/contracts'

/** What the gate knows of an organization. */
export type GateState = Omit<Enforcement, 'reduced_config'>

/** What this instance knows of the organizations' enforcement. */
export interface EnforcementCopy {
  /** Takes a message if it is newer than what is held; says whether it was. */
  apply(message: GateState): boolean
  /** Undefined for an organization that nobody ever decided upon. */
  get(organizationId: string): GateState | undefined
}

/** Makes an empty copy. Messages may come in any order and more than once: the highest revision stays. */
export function createEnforcementCopy(): EnforcementCopy {
  const held = new Map<string, GateState>()
  return {
    apply: (message) => {
      const current = held.get(message.organization_id)
      if (current !== undefined && BigInt(message.revision) <= BigInt(current.revision)) return false
      held.set(message.organization_id, message)
      return true
    },
    get: (organizationId) => held.get(organizationId),
  }
}
