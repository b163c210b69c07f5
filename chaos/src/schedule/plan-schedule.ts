import { FAULTS } from './catalog.ts'
import { FAULT_KINDS, type Fault, type FaultKind } from './fault.ts'
import { createRandom, type Random } from './random.ts'

/** What a schedule follows from. */
export interface ScheduleOptions {
  readonly seed: number
  /** How long faults are begun, in seconds. */
  readonly seconds: number
  /** Draws from the faults that need root too. */
  readonly privileged: boolean
}

type Drawn = Pick<Fault, 'kind' | 'target' | 'seconds' | 'amount'>

const MOST_AT_ONCE = 3
const MAX_STAGGER_SECONDS = 3
// What processes need to come back, as far as the plan is concerned, and what is left before the next round.
const RESTART_SECONDS = 2
const MIN_PAUSE_SECONDS = 2
const MAX_PAUSE_SECONDS = 4

/**
 * Plans the faults of a run, in rounds of one to three that overlap. The same options give the same plan. All kinds have
 * their turn before one is repeated, and a rolling restart stands in the middle.
 */
export function planSchedule({ seed, seconds, privileged }: ScheduleOptions): Fault[] {
  const random = createRandom(seed)
  const kinds = FAULT_KINDS.filter((kind) => kind !== 'deploy' && (privileged || FAULTS[kind].needsRoot !== true))
  const drawFault = createDraw(kinds, random)
  const faults: Omit<Fault, 'number'>[] = []
  let isDeployed = false
  let [round, atSeconds] = [1, 0]
  // Towards the end only short faults still find room.
  for (let misfits = 0; misfits < kinds.length; ) {
    const isMiddle: boolean = !isDeployed && atSeconds >= seconds / 2 - MAX_PAUSE_SECONDS
    const count = random.between(1, MOST_AT_ONCE)
    const drawn = Array.from({ length: count }, (_, index) => ({
      ...(isMiddle && index === 0 ? drawOf('deploy', random) : drawFault()),
      atSeconds: atSeconds + (index === 0 ? 0 : random.between(0, MAX_STAGGER_SECONDS)),
      round,
    }))
    const fitting = drawn.filter((fault) => endOf(fault) <= seconds)
    misfits += drawn.length - fitting.length
    if (fitting.length === 0) continue
    faults.push(...fitting)
    isDeployed ||= isMiddle
    round++
    atSeconds = Math.max(...fitting.map(endOf)) + random.between(MIN_PAUSE_SECONDS, MAX_PAUSE_SECONDS)
  }
  return faults
    .toSorted((one, other) => one.atSeconds - other.atSeconds)
    .map((fault, index) => ({ number: index + 1, ...fault }))
}

const endOf = (fault: Pick<Fault, 'atSeconds' | 'seconds'>): number => fault.atSeconds + fault.seconds + RESTART_SECONDS

function drawOf(kind: FaultKind, random: Random): Drawn {
  return { kind, amount: 0, ...FAULTS[kind].draw(random) }
}

/** Draws from a bag of all kinds, which is filled again when it is empty. */
function createDraw(kinds: readonly FaultKind[], random: Random): () => Drawn {
  let left: FaultKind[] = []
  return () => {
    if (left.length === 0) left = random.shuffled(kinds)
    return drawOf(left.pop() ?? random.oneOf(kinds), random)
  }
}
