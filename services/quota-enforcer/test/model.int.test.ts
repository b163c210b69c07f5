import { randomUUID } from 'node:crypto'
import type { Rpc } from '@tollgate/shared/store'
import {
  days,
  limitOf,
  monthOf,
  moveTo,
  nextInstant,
  type Reference,
  stateOf,
  userStateOf,
  voidGrant,
} from '@tollgate/shared/testing'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { expectChain, expectCrossingsOnce } from './expect-crossings.ts'
import { openTraveller, type Traveller } from './virtual-time.ts'
import { evaluateOver, openWorld, type World } from './world.ts'

let world: World
const ENDPOINT = randomUUID()
beforeAll(async () => {
  world = await openWorld()
  const change = { id: ENDPOINT, organization_id: null, url: 'https://hooks.example.com/', types: [], actor: 'test' }
  await world.rpcOf.api('create_webhook', { change: { ...change, sealed_secret: 'v1.test' } })
})
afterAll(() => world.close())

const START = Date.UTC(2027, 0, 12, 9)
const tokens = fc.integer({ min: 0, max: 700 })
const some = fc.double({ min: 0.2, max: 45, noNaN: true }).map((count) => days(count))

/** What may happen to an organization, in any order. */
const operation = fc.oneof(
  fc.record({ kind: fc.constant('use' as const), tokens }),
  fc.record({ kind: fc.constant('use' as const), tokens }),
  fc.record({ kind: fc.constant('redeliver' as const) }),
  fc.record({ kind: fc.constant('correct' as const), which: fc.nat(), tokens }),
  fc.record({ kind: fc.constant('limit' as const), limit: fc.option(fc.integer({ min: 0, max: 1_500 })) }),
  fc.record({ kind: fc.constant('user limit' as const), limit: fc.option(fc.integer({ min: 0, max: 1_500 })) }),
  fc.record({ kind: fc.constant('user default' as const), limit: fc.option(fc.integer({ min: 0, max: 1_500 })) }),
  fc.record({ kind: fc.constant('user follows' as const) }),
  fc.record({
    kind: fc.constant('grant' as const),
    amount: fc.integer({ min: 1, max: 900 }),
    priority: fc.integer({ min: 0, max: 2 }),
    lasts: fc.option(some),
  }),
  fc.record({ kind: fc.constant('void' as const), which: fc.nat() }),
  fc.record({
    kind: fc.constant('act' as const),
    of: fc.constantFrom('organization' as const, 'user' as const),
    act: fc.constantFrom(
      'revoke' as const,
      'downgrade' as const,
      'exempt' as const,
      'restore' as const,
      'clear' as const,
    ),
    lasts: fc.option(some),
  }),
  fc.record({ kind: fc.constant('time' as const), passes: some }),
  fc.record({ kind: fc.constant('away' as const), tokens: fc.integer({ min: 0, max: 1_000 }) }),
  fc.record({ kind: fc.constant('evaluate' as const), times: fc.integer({ min: 1, max: 3 }) }),
  fc.record({ kind: fc.constant('crash' as const), when: fc.constantFrom('before' as const, 'after' as const) }),
)
type Operation = typeof operation extends fc.Arbitrary<infer Value> ? Value : never

/** One run: the real thing, the reference beside it, and one clock for both. */
interface Run {
  readonly traveller: Traveller
  readonly reference: Reference
  readonly events: { event: Awaited<ReturnType<Traveller['use']>>; tokens: number; month: number; revision: number }[]
  grants: number
}

const iso = (at: number): string => new Date(at).toISOString()
const addTo = ({ totals }: Reference, month: number, count: number) =>
  totals.set(month, (totals.get(month) ?? 0) + count)

/** An enforcer that dies at the commit: before it, or after it and before anybody is told. */
const crashing = (rpc: Rpc, when: 'before' | 'after'): Rpc => {
  return async (fn, args) => {
    if (fn !== 'apply_enforcement') return rpc(fn, args)
    if (when === 'after') await rpc(fn, args)
    throw new Error('killed')
  }
}

async function passTime({ traveller, reference }: Run, passes: number): Promise<void> {
  const to = reference.at + passes
  await traveller.sweep()
  for (let next = nextInstant(reference); next <= to; next = nextInstant(reference)) {
    // The enforcer wakes for the same instants; it may know of none where nothing was ever decided.
    const due = await traveller.nextDue()
    expect([Number.POSITIVE_INFINITY, next]).toContain(due)
    moveTo(reference, next)
    await traveller.sweep()
  }
  moveTo(reference, to)
  await traveller.sweep()
}

/** Nobody is there until the month is over; something is used whenever something ends, and before anybody decides in the next one. */
async function stayAway(model: Run, tokens: number): Promise<void> {
  const { traveller, reference } = model
  await traveller.sweep()
  const end = monthOf(reference.at, 1)
  for (let next = nextInstant(reference); next <= end; next = nextInstant(reference)) {
    moveTo(reference, next)
    await use(model, tokens)
  }
  await traveller.sweep()
}

async function use({ traveller, reference, events }: Run, tokens: number): Promise<void> {
  const event = await traveller.use(tokens)
  events.push({ event, tokens, month: monthOf(reference.at), revision: 0 })
  addTo(reference, monthOf(reference.at), tokens)
}

async function correct({ traveller, reference, events }: Run, which: number, total: number): Promise<void> {
  const original = events[which % Math.max(1, events.length)]
  if (original === undefined) return
  const { source, id, ...rest } = original.event
  const correction = {
    ...rest,
    type: 'usage.corrected' as const,
    source,
    id: randomUUID(),
    corrects: { source, id },
    revision: ++original.revision,
    input_tokens: total,
    time: iso(reference.at),
    received_at: iso(reference.at),
  }
  await world.rpcOf.worker('ingest_usage', { batch: { events: [correction] } })
  addTo(reference, original.month, total - original.tokens)
  original.tokens = total
  await traveller.evaluate()
}

async function grant({ traveller, reference }: Run, order: number, given: Extract<Operation, { kind: 'grant' }>) {
  const { amount, priority, lasts } = given
  const expires = lasts === null ? Number.POSITIVE_INFINITY : reference.at + lasts
  const grant_order = {
    organization_id: traveller.id,
    amount,
    priority,
    expires_at: lasts === null ? undefined : iso(expires),
    reason: 'model',
    idempotency_key: `grant-${order}`,
    actor: 'test',
    // Grants of one instant would have no order among themselves.
    at: iso(reference.at + order),
  }
  // Given twice, it counts once.
  for (let time = 0; time < 2; time++) await world.rpcOf.api('create_grant', { grant_order })
  const createdIn = monthOf(reference.at)
  reference.grants.push({ amount, priority, order, expires, createdIn, spent: new Map(), closed: false })
}

/** Takes back what a grant has left, if it has not ended before; twice is as once. */
async function voidOne({ traveller, reference }: Run, order: number): Promise<void> {
  const sql = `select id from tollgate.grants where organization_id = $1 and idempotency_key = $2`
  const { rows } = await world.admin.query(sql, [traveller.id, `grant-${order}`])
  const grant = { organization_id: traveller.id, grant_id: rows[0]?.id ?? randomUUID() }
  const grant_void = { ...grant, reason: 'model', actor: 'test', at: iso(reference.at) }
  const again = async () => (await world.rpcOf.api('void_grant', { grant_void }))[0]?.outcome
  const outcomes = [await again(), await again()]
  const isOpen = reference.grants.some((grant) => grant.order === order && !grant.closed)
  expect(outcomes[0] === 'voided').toBe(isOpen)
  expect(outcomes[1]).toBe(isOpen ? 'repeated' : outcomes[0])
  voidGrant(reference, order)
}

async function order({ traveller, reference }: Run, { act: action, of, lasts }: Extract<Operation, { kind: 'act' }>) {
  const ends = lasts ?? (action === 'exempt' ? days(3) : null)
  const until = ends === null ? undefined : iso(reference.at + ends)
  const enforcement_order = {
    organization_id: traveller.id,
    action,
    until,
    reason: 'model',
    actor: 'user:ada',
    at: iso(reference.at),
  }
  const user_order = { ...enforcement_order, user_id: traveller.id }
  if (of === 'organization') await world.rpcOf.api('order_enforcement', { enforcement_order })
  else await world.rpcOf.api('order_user_enforcement', { enforcement_order: user_order })
  const used = reference.totals.get(monthOf(reference.at)) ?? 0
  const end = ends === null ? Number.POSITIVE_INFINITY : reference.at + ends
  const restoreEnd = ends === null ? monthOf(reference.at, 1) : end
  const act = action === 'clear' ? null : { kind: action, until: action === 'restore' ? restoreEnd : end, used }
  reference[of === 'user' ? 'userAct' : 'act'] = act
}

async function run(step: Operation, model: Run): Promise<void> {
  const { traveller, reference, events } = model
  const { id } = traveller
  switch (step.kind) {
    case 'use':
      return use(model, step.tokens)
    case 'away':
      return stayAway(model, step.tokens)
    case 'redeliver': {
      const last = events.at(-1)
      if (last) await world.rpcOf.worker('ingest_usage', { batch: { events: [last.event] } })
      return
    }
    case 'correct':
      return correct(model, step.which, step.tokens)
    case 'limit':
      reference.limit = step.limit
      return void (await world.setLimit(id, step.limit))
    case 'user limit':
      reference.userLimit = step.limit
      return void (await world.setUserLimit(id, id, step.limit))
    case 'user default':
      reference.userDefault = step.limit
      return void (await world.setUserDefault(id, step.limit))
    case 'user follows':
      reference.userLimit = undefined
      return void (await world.followDefault(id))
    case 'grant':
      return grant(model, model.grants++, step)
    case 'void':
      return voidOne(model, step.which % Math.max(1, model.grants))
    case 'act':
      return order(model, step)
    case 'time':
      return passTime(model, step.passes)
    case 'evaluate':
      return void (await Promise.all(Array.from({ length: step.times }, () => traveller.evaluate())))
    case 'crash':
      return void (await evaluateOver(crashing(traveller.rpc, step.when))(id, 'usage').catch(() => undefined))
  }
}

/** Lives through the steps and compares with the reference; `sabotage` breaks the enforcer on purpose. */
async function expectAsReference(
  steps: readonly Operation[],
  sabotage: (rpc: Rpc) => Rpc = (rpc) => rpc,
): Promise<void> {
  const reference: Reference = {
    ...{ at: START, limit: 1_000, userLimit: undefined, userDefault: null },
    ...{ totals: new Map(), grants: [], act: null, userAct: null },
  }
  const traveller = await openTraveller(world, (rpc) => evaluateOver(sabotage(rpc)), reference)
  const model: Run = { traveller, reference, events: [], grants: 0 }
  let version = 0n
  for (const step of steps) {
    await run(step, model)
    const now = BigInt((await traveller.position()).version)
    expect(now).toBeGreaterThanOrEqual(version)
    version = now
  }
  await traveller.sweep()
  const limit = limitOf(reference)
  expect(await traveller.position()).toMatchObject({
    used_tokens: String(reference.totals.get(monthOf(reference.at)) ?? 0),
    limit_tokens: limit === null ? null : String(limit),
    state: stateOf(reference),
  })
  const sql = 'select state from tollgate.user_enforcement_states where organization_id = $1'
  const { rows } = await world.admin.query(sql, [traveller.id])
  expect(rows[0]?.state ?? 'active').toBe(userStateOf(reference))
  await expectChain(world, traveller.id)
  await expectCrossingsOnce(world, traveller.id, ENDPOINT)
}

const sequences = fc.array(operation, { minLength: 1, maxLength: 16 })

test('any sequence of usage, corrections, grants, limits, manual acts, month ends, crashes and redeliveries ends as in the reference', async () => {
  await fc.assert(
    fc.asyncProperty(sequences, (steps) => expectAsReference(steps)),
    { numRuns: Number(process.env.MODEL_RUNS ?? 25) },
  )
})

/** An enforcer that looks at part of the position only. */
const blindTo =
  (change: object) =>
  (rpc: Rpc): Rpc => {
    return async (fn, args) => {
      const rows = await rpc(fn, args)
      return fn === 'load_quota_position' ? rows.map((row) => ({ ...row, ...change })) : rows
    }
  }

test.each([
  ['manual acts', { manual_act: null }],
  ['grants', { grants_due: false }],
  ['usage', { used_tokens: '0' }],
])('the same comparison goes red for an enforcer that is blind to %s', async (_, change) => {
  const property = fc.asyncProperty(sequences, (steps) => expectAsReference(steps, blindTo(change)))
  const { failed } = await fc.check(property, { numRuns: 100, endOnFailure: true })
  expect(failed).toBe(true)
})
