import { DEFAULT_QUOTA_POLICY } from '@tollgate/shared/contracts'
import { decide, readPolicy } from '@tollgate/shared/quota'
import type { Rpc } from '@tollgate/shared/store'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { sweep } from '../src/sweep.ts'
import { evaluateOver, openWorld, usageEvent, type World } from './world.ts'

let world: World
beforeAll(async () => {
  world = await openWorld()
})
afterAll(() => world.close())

/** Each decision begins where the one before ended, and versions never fall. */
const expectChain = async (organizationId: string): Promise<number> => {
  const decisions = await world.readDecisions(organizationId)
  let state = 'active'
  let version = 0n
  for (const decision of decisions) {
    expect(decision.from_state).toBe(state)
    expect(BigInt(decision.version)).toBeGreaterThanOrEqual(version)
    state = decision.to_state
    version = BigInt(decision.version)
  }
  const position = await world.readPosition(organizationId)
  expect(position).toMatchObject({ state, version: version.toString() })
  return decisions.length
}

const decideFinal = async (organizationId: string) => {
  const row = await world.readPosition(organizationId)
  const limit = row.limit_tokens === null ? null : BigInt(row.limit_tokens)
  const verdict = decide(
    { used: BigInt(row.used_tokens), limit },
    readPolicy(row.policy, () => undefined),
  )
  return { row, verdict }
}

test('two enforcers at once on one organization make one decision per change and never go back', async () => {
  const id = await world.createOrganization()
  await world.setLimit(id, 1_000)
  const often = { sweepIntervalMs: 50, rebuildIntervalMs: 50 }
  const enforcers = [world.start(often), world.start(often)]
  // 60 announced steps of 2 % race with both sweeps, and each other.
  await Promise.all(
    Array.from({ length: 6 }, async () => {
      for (let step = 0; step < 10; step++) {
        await world.use(id, 20)
        await Promise.all([world.wake(id), world.evaluate(id, 'usage')])
      }
    }),
  )
  const untilRevoked = async () => {
    expect((await world.readPosition(id)).state).toBe('revoked')
    expect(await world.readCopy(id)).toMatchObject({ state: 'revoked', version: 2 })
  }
  await vi.waitFor(untilRevoked, { timeout: 10_000 })
  await Promise.all(enforcers.map((enforcer) => enforcer.stop()))
  const count = await expectChain(id)
  const reasons = (await world.readDecisions(id)).map(({ reason }) => reason)
  expect(new Set(reasons).size).toBe(count)
  const ladder = DEFAULT_QUOTA_POLICY.steps.map(({ at_percent }) => `max_tokens_${at_percent}_percent`)
  expect(reasons).toEqual(ladder.filter((reason) => reasons.includes(reason)))
})

test('twenty evaluations of one crossing at the same moment make one decision', async () => {
  const id = await world.createOrganization()
  await world.setLimit(id, 1_000)
  await world.use(id, 1_000)
  const outcomes = await Promise.all(Array.from({ length: 20 }, () => world.evaluate(id, 'usage')))
  expect(outcomes.filter((outcome) => outcome === 'changed')).toHaveLength(1)
  expect(await expectChain(id)).toBe(1)
})

/** An `Rpc` of the enforcer that lets something happen between loading and applying. */
const interrupted = (happen: () => Promise<unknown>): Rpc => {
  return async (fn, args) => {
    if (fn === 'apply_enforcement') await happen()
    return world.rpcOf.enforcer(fn, args)
  }
}

test('usage that passes the next step between loading and applying is decided upon in the same evaluation', async () => {
  const id = await world.createOrganization()
  await world.setLimit(id, 1_000)
  let left = 1
  const evaluate = evaluateOver(interrupted(async () => left-- > 0 && world.use(id, 1_200)))
  expect(await evaluate(id, 'usage')).toBe('changed')
  expect((await world.readPosition(id)).state).toBe('revoked')
})

test('a decision made upon an older state is not applied but made again', async () => {
  const id = await world.createOrganization()
  await world.setLimit(id, 1_000)
  await world.use(id, 1_200)
  let left = 1
  // Decided: revoked. Meanwhile the limit is raised and another enforcer has acted on it.
  const evaluate = evaluateOver(
    interrupted(async () => {
      if (left-- <= 0) return
      await world.setLimit(id, 1_000_000)
      await world.evaluate(id, 'limit_changed')
    }),
  )
  expect(await evaluate(id, 'usage')).toBe('unchanged')
  expect((await world.readPosition(id)).state).toBe('active')
  expect(await world.readDecisions(id)).toEqual([])
})

test('an evaluation that others keep overtaking ends after five rounds', async () => {
  const id = await world.createOrganization()
  let limit = 1_000
  const evaluate = evaluateOver(
    interrupted(async () => {
      await world.setLimit(id, ++limit)
      await world.evaluate(id, 'limit_changed')
    }),
  )
  expect(await evaluate(id, 'usage')).toBe('contended')
  expect(limit).toBe(1_005)
})

test('any sequence of usage and limits ends in the verdict on the final position, with versions only rising', async () => {
  const operations = fc.array(
    fc.oneof(
      fc.record({ kind: fc.constant('use' as const), tokens: fc.integer({ min: 1, max: 400 }) }),
      fc.record({ kind: fc.constant('limit' as const), limit: fc.option(fc.integer({ min: 0, max: 1_500 })) }),
      fc.record({ kind: fc.constant('evaluate' as const), times: fc.integer({ min: 1, max: 3 }) }),
    ),
    { minLength: 1, maxLength: 12 },
  )
  await fc.assert(
    fc.asyncProperty(operations, fc.boolean(), async (sequence, atOnce) => {
      const id = await world.createOrganization()
      let revision = 0n
      const run = async (operation: (typeof sequence)[number]): Promise<unknown> => {
        if (operation.kind === 'use') return world.use(id, operation.tokens)
        if (operation.kind === 'limit') return world.setLimit(id, operation.limit)
        return Promise.all(Array.from({ length: operation.times }, () => world.evaluate(id, 'usage')))
      }
      if (atOnce) await Promise.all(sequence.map(run))
      for (const operation of atOnce ? [] : sequence) {
        await run(operation)
        const now = BigInt((await world.readPosition(id)).revision ?? 0)
        expect(now).toBeGreaterThanOrEqual(revision)
        revision = now
      }
      // What a sweep does until nothing is due.
      const isDue = async () =>
        (await world.rpcOf.enforcer('list_due_evaluations', { max_rows: 500 })).some(
          (due) => due.organization_id === id,
        )
      while (await isDue()) await world.evaluate(id, 'sweep')
      const { row, verdict } = await decideFinal(id)
      // An organization that used nothing and was never looked at has no state yet.
      if (row.revision === null) expect(row.used_tokens).toBe('0')
      else
        expect(row).toMatchObject({
          state: verdict.state,
          reason: verdict.reason,
          reduced_config: verdict.reduced_config,
        })
      await expectChain(id)
    }),
    { numRuns: 40 },
  )
})

test('a user with a limit too, whoever records, sets limits or evaluates at the same time', async () => {
  const operation = fc.oneof(
    fc.record({ kind: fc.constant('use' as const), tokens: fc.integer({ min: 1, max: 60 }) }),
    fc.record({ kind: fc.constant('limit' as const), limit: fc.option(fc.integer({ min: 0, max: 300 })) }),
    fc.record({ kind: fc.constant('default' as const), limit: fc.option(fc.integer({ min: 0, max: 300 })) }),
    fc.record({ kind: fc.constant('evaluate' as const) }),
  )
  await fc.assert(
    fc.asyncProperty(fc.array(operation, { minLength: 3, maxLength: 14 }), async (operations) => {
      const id = await world.createOrganization()
      await world.setUserDefault(id, 100)
      await Promise.all(
        operations.map((step): Promise<unknown> => {
          if (step.kind === 'use') return world.use(id, step.tokens)
          if (step.kind === 'limit') return world.setUserLimit(id, id, step.limit)
          if (step.kind === 'default') return world.setUserDefault(id, step.limit)
          return world.evaluate(id, 'usage')
        }),
      )
      const isDue = async () =>
        (await world.rpcOf.enforcer('list_due_evaluations', { max_rows: 500 })).some(
          (row) => row.organization_id === id,
        )
      while (await isDue()) await world.evaluate(id, 'sweep')
      const [quota] = await world.rpcOf.api('load_user_quota', { for_organization: id, for_user: id })
      const { used_tokens, limit_tokens, state } = quota ?? expect.fail('no user')
      const used = BigInt(used_tokens)
      const expected = decide(
        { used, limit: limit_tokens === null ? null : BigInt(limit_tokens) },
        DEFAULT_QUOTA_POLICY,
      )
      expect(state).toBe(expected.state)
    }),
    { numRuns: 25 },
  )
})

test('a sweep that finds users who wait for a long transaction has made up for nothing', async () => {
  const [id, other] = [await world.createOrganization(), await world.createOrganization()]
  await world.evaluate(id, 'sweep')
  const healed: string[] = []
  const evaluated: string[] = []
  const sweepOnce = async () => {
    const rpc: Rpc = async (fn, args) => {
      const rows = await world.rpcOf.enforcer(fn, args)
      return rows.filter((row) => 'organization_id' in row && row.organization_id === id)
    }
    const evaluate = async (...of: Parameters<World['evaluate']>) => {
      const outcome = await world.evaluate(...of)
      evaluated.push(outcome)
      return outcome
    }
    const told = {
      onHealed: (reason: string) => healed.push(reason),
      onFault: (error: unknown) => expect.fail(String(error)),
    }
    await sweep({ rpc, evaluate, ...told }, AbortSignal.timeout(60_000))
  }
  const worker = await world.admin.connect()
  try {
    await worker.query('begin')
    await worker.query('select * from public.ingest_usage($1)', [{ events: [usageEvent(other, 1)] }])
    await world.setUserDefault(id, 100)
    for (let time = 0; time < 3; time++) await sweepOnce()
    expect([healed, evaluated]).toEqual([[], ['waiting', 'waiting', 'waiting']])
    await worker.query('commit')
  } finally {
    worker.release(true)
  }
  await sweepOnce()
  expect([healed, evaluated.at(-1)]).toEqual([['sweep'], 'unchanged'])
})
