import type pg from 'pg'
import { BenchError } from '../bench-error.ts'
import { repeatRequest } from './repeat-request.ts'
import { type Spending, type SpendOptions, spendLimit } from './spend-limit.ts'
import { type LimitView, waitUntilNothingIsHeld, watchLimit } from './watch-limit.ts'

/** How a limit was spent. */
export interface LimitRun {
  readonly spending: Spending
  /** By how much used + held was above the limit at worst; not above zero when all is right. */
  readonly worstExcess: number
  /** After the last hold has ended. */
  readonly end: LimitView
}

/** Lets clients spend a limit while something goes on (faults), and waits until nothing is held any more. */
export async function spendUnderFaults(
  db: pg.Pool,
  limit: number,
  options: SpendOptions,
  meanwhile: () => Promise<unknown>,
): Promise<LimitRun> {
  const organizationId = organizationOf(options)
  const watch = watchLimit(db, organizationId, limit)
  const [spending] = await Promise.all([spendLimit(options), meanwhile()])
  const worstExcess = await watch.stop()
  return { spending, worstExcess, end: await waitUntilNothingIsHeld(db, organizationId) }
}

/**
 * Asks for what is left, and then for one LLM token more.
 * @returns the statuses; 201 and 429 when nothing has leaked and nothing is given twice
 */
export async function spendRemainder(limit: number, run: LimitRun, options: SpendOptions): Promise<number[]> {
  const [member] = options.members
  if (member === undefined) throw new BenchError('There is nobody to spend.')
  const remainder = limit - run.end.usedTokens
  const statuses: number[] = []
  for (const total_tokens of remainder > 0 ? [remainder, 1] : [1]) {
    const json = {
      ...{ organization_id: member.organizationId, user_id: member.userId, session_id: 'remainder' },
      ...{ total_tokens, ttl_seconds: 60 },
    }
    const { urls, key } = options
    const answer = await repeatRequest({ urls, key, path: '/v1/reservations', json, onRepeat: () => undefined })
    statuses.push(answer.status)
  }
  return remainder > 0 ? statuses : [201, ...statuses]
}

function organizationOf({ members }: SpendOptions): string {
  const [member] = members
  if (member === undefined) throw new BenchError('There is nobody to spend.')
  return member.organizationId
}
