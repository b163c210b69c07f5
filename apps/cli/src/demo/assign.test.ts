import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { type AssignedRequest, type Assignee, assignRequests, DEFAULT_SEED } from './assign.ts'
import { readTrace, type TraceRequest } from './read-trace.ts'
import { STORYLINES } from './storylines.ts'

const assignees: Assignee[] = STORYLINES.map((storyline) => ({
  organizationId: storyline.domain,
  userIds: [`${storyline.domain}-user`, `${storyline.domain}-admin`],
  storyline,
}))

/** The seeded monthly limits (infra/local-stack/src/demo-organizations.ts). */
const LIMITS = { 'acme-research': 50_000_000, 'borealis-labs': 8_000_000, 'cobalt-support': 4_000_000 }

const totalOf = (requests: readonly TraceRequest[]): number =>
  requests.reduce((sum, { inputTokens, outputTokens }) => sum + inputTokens + outputTokens, 0)

const percentOf = (requests: readonly AssignedRequest[], domain: keyof typeof LIMITS): number =>
  (100 * totalOf(requests.filter(({ organizationId }) => organizationId === domain))) / LIMITS[domain]

describe('the assignment of the trace', () => {
  let trace: TraceRequest[]
  beforeAll(async () => {
    trace = await readTrace()
  })

  it('is the same for the same seed, and another for another', () => {
    const first = assignRequests(trace, assignees)
    expect(assignRequests(trace, assignees)).toEqual(first)
    expect(assignRequests(trace, assignees, DEFAULT_SEED + 1)).not.toEqual(first)
  })

  it('gives the first requests what they have in the whole', () => {
    expect(assignRequests(trace.slice(0, 500), assignees)).toEqual(assignRequests(trace, assignees).slice(0, 500))
  })

  it('keeps every request and every count', () => {
    const assigned = assignRequests(trace, assignees)
    expect(assigned.map(({ line }) => line)).toEqual(trace.map(({ line }) => line))
    expect(totalOf(assigned)).toBe(26_450_535)
  })

  it('ends each organization where its story wants it, whatever the seed', () => {
    fc.assert(
      fc.property(fc.nat(0xffff_ffff), (seed) => {
        const assigned = assignRequests(trace, assignees, seed)
        expect(percentOf(assigned, 'acme-research')).toBeLessThan(50)
        expect(percentOf(assigned, 'borealis-labs')).toBeGreaterThan(100)
        expect(percentOf(assigned, 'borealis-labs')).toBeLessThan(120)
        expect(percentOf(assigned, 'cobalt-support')).toBeGreaterThan(120)
      }),
      { numRuns: 25 },
    )
  })

  it('makes conversations: several messages of one user with one model', () => {
    const sessions = Map.groupBy(assignRequests(trace, assignees), ({ sessionId }) => sessionId)
    for (const messages of sessions.values()) {
      expect(new Set(messages.map(({ userId, model }) => `${userId} ${model}`)).size).toBe(1)
      expect(messages.length).toBeLessThanOrEqual(12)
    }
    expect(sessions.size).toBeGreaterThan(1_500)
    expect(sessions.size).toBeLessThan(5_000)
  })

  it('has a small part of one model that no price book knows', () => {
    const assigned = assignRequests(trace, assignees)
    const share = assigned.filter(({ model }) => model === 'acme-internal-llm').length / assigned.length
    expect(share).toBeGreaterThan(0.01)
    expect(share).toBeLessThan(0.05)
  })
})
