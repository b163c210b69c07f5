import { type QuotaPolicy, quotaPolicy } from '@tollgate/shared/contracts'
import type { Rpc } from '@tollgate/shared/store'
import { z } from 'zod'
import type { PastGrant } from './grant-books.ts'
import type { PastAct } from './replay-usage.ts'

/** A limit of users, with the ladder that it stands on; null: the default one. */
export interface UserRule {
  readonly limit: bigint | null
  readonly policy: QuotaPolicy | null
}

/** What bore on an organization's quota beside its usage; times are epoch ms. */
export interface Past {
  readonly observe: boolean
  readonly periods: readonly number[]
  readonly grants: readonly PastGrant[]
  /** By user; null: of the organization itself. */
  readonly acts: ReadonlyMap<string | null, readonly PastAct[]>
  readonly users: ReadonlyMap<string, UserRule>
  readonly userDefault: UserRule | null
}

const instant = z.string().transform((text) => Date.parse(text))
const orNever = instant.nullable().transform((at) => at ?? Number.POSITIVE_INFINITY)
const amount = z.string().transform(BigInt)
const userRule = z.object({ limit: amount.nullable(), policy: quotaPolicy.nullable().catch(null) })
const shape = z.object({
  mode: z.enum(['enforce', 'observe']),
  periods: z.array(instant),
  grants: z.array(z.object({ amount, priority: z.number(), at: instant, expires_at: orNever, voided_at: orNever })),
  acts: z.array(
    z.object({
      user_id: z.string().nullable(),
      at: instant,
      until: orNever,
      action: z.enum(['revoke', 'downgrade', 'restore', 'exempt', 'clear']),
    }),
  ),
  users: z.array(userRule.extend({ user_id: z.string() })),
  user_default: userRule.nullable(),
})

/** Reads what bore on an organization between two instants. @throws StoreError, ZodError */
export async function loadPast(rpc: Rpc, organizationId: string, from: number, to: number): Promise<Past> {
  const query = { organization_id: organizationId, from: new Date(from).toISOString(), to: new Date(to).toISOString() }
  const [row] = await rpc('load_past', { query })
  const past = shape.parse(row?.past)
  return {
    observe: past.mode === 'observe',
    periods: past.periods,
    grants: past.grants.map(({ expires_at: expires, voided_at: voided, ...grant }) => ({ ...grant, expires, voided })),
    acts: Map.groupBy(past.acts, (act) => act.user_id),
    users: new Map(past.users.map(({ user_id, ...rule }) => [user_id, rule])),
    userDefault: past.user_default,
  }
}
