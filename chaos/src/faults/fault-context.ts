import { setTimeout as delay } from 'node:timers/promises'
import type { Fault } from '../schedule/fault.ts'
import type { ChaosStack } from '../stack/open-chaos-stack.ts'

/** Does one fault: begins it, lets it last, and ends it, so that afterwards everything could be well again. */
export type Inject = (stack: ChaosStack, fault: Fault) => Promise<void>

/** Lets a fault last. */
export const last = (seconds: number): Promise<void> => delay(seconds * 1_000)
