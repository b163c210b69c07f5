import { randomUUID } from 'node:crypto'
import type { Rpc, RpcArgs, RpcName } from '@tollgate/shared/store'
import type { Evaluate } from '../src/evaluate.ts'
import { usageEvent, type World } from './world.ts'

// Functions of the enforcer that take the present as an argument.
const TIMED = new Set<string>([
  'load_quota_position',
  'load_user_positions',
  'enroll_users',
  'list_due_evaluations',
  'settle_grants',
] satisfies RpcName[])

/** An `Rpc` for which it is `at()`: where the database's present is an argument, it gives its own. */
function atTime(rpc: Rpc, at: () => number): Rpc {
  const present = () => new Date(at()).toISOString()
  return async (fn, args) => {
    if (TIMED.has(fn)) return rpc(fn, { ...args, at: present() })
    if (fn !== 'apply_enforcement' && fn !== 'apply_user_enforcement') return rpc(fn, args)
    const { decision } = args as RpcArgs<'apply_enforcement'>
    return rpc(fn, { decision: { ...decision, at: present() } } as typeof args)
  }
}

/** One organization whose time a test moves. */
export type Traveller = Awaited<ReturnType<typeof openTraveller>>

/** Makes an organization with a limit of 1000 that lives at `clock.at`, with an enforcer that sweeps at each due instant. */
export async function openTraveller(world: World, over: (rpc: Rpc) => Evaluate, clock: { at: number }) {
  const id = await world.createOrganization()
  await world.setLimit(id, 1_000)
  const rpc = atTime(world.rpcOf.enforcer, () => clock.at)
  const evaluate = over(rpc)
  const present = () => new Date(clock.at).toISOString()

  const isDue = async () =>
    (await rpc('list_due_evaluations', { max_rows: 10_000 })).some((row) => row.organization_id === id)
  const sweep = async () => {
    for (let round = 0; await isDue(); round++) {
      if (round === 5) throw new Error(`still due at ${present()}`)
      await evaluate(id, 'sweep')
    }
  }
  /** The next instant at which time alone makes something due, as the enforcer asks for it. */
  const nextDue = async (): Promise<number> => {
    const sql = `select extract(epoch from min(due)) * 1000 as due from (
      select least(period_end, due_at) as due from tollgate.enforcement_states where organization_id = $1
      union all select wakes_at from tollgate.user_enforcement_states where organization_id = $1 and wakes_at < 'infinity') s
      where due > $2`
    const { rows } = await world.admin.query<{ due: string | null }>(sql, [id, present()])
    return rows[0]?.due ? Number(rows[0].due) : Number.POSITIVE_INFINITY
  }
  return {
    id,
    rpc,
    evaluate: () => evaluate(id, 'usage'),
    sweep,
    nextDue,
    /** Records usage at the present; gives the event. */
    use: async (tokens: number) => {
      const event = { ...usageEvent(id, tokens), id: randomUUID(), time: present(), received_at: present() }
      await world.rpcOf.worker('ingest_usage', { batch: { events: [event] } })
      return event
    },
    position: async () => {
      const [row] = await rpc('load_quota_position', { for_organization: id })
      if (row === undefined) throw new Error('no position')
      return row
    },
  }
}
