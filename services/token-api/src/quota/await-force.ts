import { setTimeout as delay } from 'node:timers/promises'
import { ProblemError } from '@tollgate/shared/contracts'
import type { Store } from '../bind-store.ts'
import type { Announcer } from '../gate/announce-revocations.ts'
import { readState } from '../gate/load-enforcement.ts'

/** What waiting stands on. */
export interface AwaitForceOptions {
  readonly store: Pick<Store, 'findEnforcement' | 'findUserEnforcement'>
  readonly announceState: Announcer['announceState']
  readonly monotonicNow: () => number
}

/** Whether all that is ordered for an organization, or for one of its users, is in force, and known to every gate. */
export type AwaitForce = (organizationId: string, userId?: string) => Promise<boolean>

const PATIENCE_MS = 1_500
const INTERVAL_MS = 20

/**
 * Makes the wait between an order and its answer: until the enforcer has decided with the order, and then until every gate
 * that may hold a lease has acknowledged what it decided. False where one of them does not come in a second and a half.
 */
export function createAwaitForce({ store, announceState, monotonicNow }: AwaitForceOptions): AwaitForce {
  const find = (organizationId: string, userId: string | undefined) =>
    userId === undefined ? store.findEnforcement(organizationId) : store.findUserEnforcement(organizationId, userId)
  return async (organizationId, userId) => {
    const giveUpAtMs = monotonicNow() + PATIENCE_MS
    for (;;) {
      const row = await find(organizationId, userId)
      if (row?.settled === true) return tellGates(row)
      if (monotonicNow() >= giveUpAtMs) return false
      await delay(INTERVAL_MS)
    }
  }

  async function tellGates(row: NonNullable<Awaited<ReturnType<Store['findEnforcement']>>>): Promise<boolean> {
    try {
      await announceState(readState(row), row.deaf_ms)
      return true
    } catch (error) {
      if (error instanceof ProblemError && error.code === 'unavailable') return false
      throw error
    }
  }
}
