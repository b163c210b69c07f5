import { beforeAll, describe, expect, it } from 'vitest'
import { findTenants, planReplay, settleWindow } from './plan-replay.ts'
import { readTrace, type TraceRequest } from './read-trace.ts'
import type { TimeWindow } from './shift-times.ts'

const organizations = ['acme-research', 'borealis-labs', 'cobalt-support'].map((domain) => ({
  id: `id-of-${domain}`,
  domain,
  plan_type: 'enterprise',
  max_tokens: 1,
}))
const users = organizations.flatMap(({ id, domain }) =>
  (['admin', 'user', 'super_admin'] as const).map((role) => ({
    id: `${role}-of-${domain}`,
    email: `${role}@${domain}.example`,
    password: 'secret',
    role,
    organization_id: id,
  })),
)

describe('the plan', () => {
  let trace: TraceRequest[]
  beforeAll(async () => {
    trace = await readTrace()
  })
  const window = { startMs: Date.parse('2026-11-23T08:00:00Z'), endMs: Date.parse('2026-11-23T09:00:00Z') }

  it('of a short replay is the beginning of that of a full one, byte for byte', () => {
    const tenants = findTenants({ organizations, users })
    const whole = planReplay({ trace, requests: trace.length, tenants, seed: 7, window })
    const part = planReplay({ trace, requests: 300, tenants, seed: 7, window })
    expect(part.batches).toEqual(whole.batches.slice(0, 3))
    expect(whole.batches).toHaveLength(194)
    expect(new Set(whole.eventIds).size).toBe(19_366)
  })

  it('gives another seed another source, so that its events are not taken for the same', () => {
    const tenants = findTenants({ organizations, users })
    expect(planReplay({ trace, requests: 1, tenants, seed: 2023, window }).source).toBe('azure-llm-trace-2023')
    expect(planReplay({ trace, requests: 1, tenants, seed: 7, window }).source).toBe('azure-llm-trace-2023-seed-7')
  })
})

it('leaves the platform staff out and watches a plain user', () => {
  const [acme] = findTenants({ organizations, users })
  expect(acme?.userIds).toEqual(['admin-of-acme-research', 'user-of-acme-research'])
  expect(acme?.watched.role).toBe('user')
})

it('says which organization a stack lacks', () => {
  expect(() => findTenants({ organizations: organizations.slice(0, 2), users })).toThrow(/cobalt-support/)
})

describe('the window', () => {
  const trace = [{ line: 1, offsetMs: 0, inputTokens: 1, outputTokens: 1 }]
  const kept = { startMs: Date.parse('2026-11-20T08:00:00Z'), endMs: Date.parse('2026-11-20T09:00:00Z') }
  const storeOf = (window: TimeWindow | null) => {
    const written: TimeWindow[] = []
    return { read: () => window, write: (next: TimeWindow) => void written.push(next), written }
  }

  it('of the first run is used again once events are recorded', () => {
    const store = storeOf(kept)
    expect(settleWindow(trace, store, true, Date.parse('2026-11-23T10:00:00Z'))).toEqual(kept)
    expect(store.written).toEqual([])
  })

  it('is chosen anew while nothing is recorded', () => {
    const store = storeOf(kept)
    const window = settleWindow(trace, store, false, Date.parse('2026-11-23T10:00:00Z'))
    expect(store.written).toEqual([window])
    expect(new Date(window.endMs).toISOString()).toBe('2026-11-23T09:59:59.000Z')
  })

  it('that the API would refuse as too late is an error that says what to do', () => {
    expect(() => settleWindow(trace, storeOf(kept), true, Date.parse('2027-01-01T00:00:00Z'))).toThrow(
      /--seed.*--fresh/,
    )
  })
})
