import {
  CONTROL_FIELD,
  type Enforcement,
  type EnforcementControl,
  type EnforcementSeen,
  enforcementField,
} from '@tollgate/shared/contracts'

/** What the gate knows of an organization or a user. */
export type GateState = Omit<Enforcement, 'reduced_config'>

/** All that the gate knows of one user of an organization; undefined where nobody ever decided anything. */
export interface Known {
  readonly organization: GateState | undefined
  readonly user: GateState | undefined
  readonly control: EnforcementControl | undefined
}

/** What this instance knows of enforcement. */
export interface EnforcementCopy {
  /** Takes a message if it is newer than what is held; says whether it was. */
  apply(message: GateState | EnforcementControl): boolean
  get(organizationId: string, userId: string): Known
  /** The newest that was ever taken; undefined before the first. It never goes back. */
  newest(): EnforcementSeen | undefined
}

/** Makes an empty copy. Messages may come in any order and more than once: the highest epoch and revision stay. */
export function createEnforcementCopy(): EnforcementCopy {
  const held = new Map<string, GateState>()
  let control: EnforcementControl | undefined
  let newest: EnforcementSeen | undefined
  return {
    apply: (message) => {
      if (newest === undefined || isNewer(message, newest)) {
        newest = { epoch: message.epoch ?? 1, revision: message.revision }
      }
      const field = 'control' in message ? CONTROL_FIELD : enforcementField(message)
      const current = 'control' in message ? control : held.get(field)
      if (current !== undefined && !isNewer(message, current)) return false
      if ('control' in message) control = message
      else held.set(field, message)
      return true
    },
    get: (organizationId, userId) => ({
      organization: held.get(organizationId),
      user: held.get(enforcementField({ organization_id: organizationId, user_id: userId })),
      control,
    }),
    newest: () => newest,
  }
}

type Ordered = Pick<GateState, 'epoch' | 'revision'>

function isNewer(message: Ordered, than: Ordered): boolean {
  const [epoch, held] = [message.epoch ?? 1, than.epoch ?? 1]
  return epoch === held ? BigInt(message.revision) > BigInt(than.revision) : epoch > held
}
