import {
  CONTROL_FIELD,
  type Enforcement,
  type EnforcementControl,
  enforcement,
  enforcementControl,
  enforcementField,
} from '@tollgate/shared/contracts'
import type { RpcRow } from '@tollgate/shared/store'
import type { Redis } from 'ioredis'
import { z } from 'zod'
import { PUBLISH_SCRIPT } from './publish-script.ts'

// Redis does nothing else while a script runs.
const STATES_PER_SCRIPT = 100

/** Anything that is published: a state, or what holds for all. */
export type Published = Enforcement | EnforcementControl

/** Writes and announces the states that are newer than Redis' copy; gives how many were. Rejects while Redis is away. */
export type Publish = (states: readonly Published[]) => Promise<number>

/** Name of the hash that holds the read copy, and of the channel that announces changes of it. */
export const enforcementKey = (namespace: string): string => `${namespace}:enforcement`

/** A state as the database hands it over, in the shape of the contract; what else the row has is left out. */
export function toEnforcement(row: RpcRow<'list_enforcement'>): Enforcement {
  return enforcement.parse({ ...row, version: Number(row.version), epoch: Number(row.epoch) })
}

/** What holds for all, as the database hands it over, in the shape of the contract. */
export function toControl(row: RpcRow<'load_enforcement_control'>): EnforcementControl {
  const { paused, revision, decision_id } = row
  const numbers = { epoch: Number(row.epoch), version_floor: Number(row.version_floor) }
  return enforcementControl.parse({ control: true, paused, revision, decision_id, ...numbers })
}

const fieldOf = (state: Published): string => ('control' in state ? CONTROL_FIELD : enforcementField(state))

/** Makes the publisher. `redis` is a connection that fails fast; its socket timeout bounds each call. */
export function createPublish(redis: Pick<Redis, 'eval'>, namespace: string): Publish {
  const key = enforcementKey(namespace)
  return async (states) => {
    let written = 0
    for (let from = 0; from < states.length; from += STATES_PER_SCRIPT) {
      const args = states
        .slice(from, from + STATES_PER_SCRIPT)
        .flatMap((state) => [fieldOf(state), String(state.epoch ?? 1), state.revision, JSON.stringify(state)])
      written += z.number().parse(await redis.eval(PUBLISH_SCRIPT, 1, key, key, ...args))
    }
    return written
  }
}
