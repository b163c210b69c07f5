import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { sampleClaims, sampleEnforcement } from '../testing/claims.ts'
import { createEnforcementCopy } from './enforcement-copy.ts'
import { judge } from './gate.ts'
import { createLease } from './lease.ts'

const claims = sampleClaims({ ver: 3 })

describe('judge', () => {
  test('an organization nobody decided upon has access', () => {
    expect(judge(claims, undefined, true, 'closed')).toEqual({ accepted: true })
  })
  test.each(['active', 'warned', 'downgraded'] as const)('%s has access with a token of its version', (state) => {
    expect(judge(claims, sampleEnforcement({ state, version: 3 }), true, 'closed')).toEqual({ accepted: true })
    expect(judge(claims, sampleEnforcement({ state, version: 2 }), true, 'closed')).toEqual({ accepted: true })
  })
  test.each(['active', 'warned', 'downgraded'] as const)('%s: an older token is superseded', (state) => {
    const enforcement = sampleEnforcement({ state, version: 4 })
    expect(judge(claims, enforcement, true, 'closed')).toEqual({ accepted: false, reason: 'superseded', enforcement })
  })
  test('revoked refuses every token', () => {
    for (const version of [0, 3, 4]) {
      const enforcement = sampleEnforcement({ state: 'revoked', version })
      const refusal = { accepted: false, reason: 'organization_revoked', enforcement }
      expect(judge(claims, enforcement, true, 'closed')).toEqual(refusal)
    }
  })
  test('without a lease a closed gate refuses everybody', () => {
    for (const enforcement of [undefined, sampleEnforcement(), sampleEnforcement({ state: 'revoked' })]) {
      expect(judge(claims, enforcement, false, 'closed')).toEqual({ accepted: false, reason: 'gate_unavailable' })
    }
  })
  test('without a lease an open gate goes on with what it knew last', () => {
    expect(judge(claims, undefined, false, 'open')).toEqual({ accepted: true })
    expect(judge(claims, sampleEnforcement({ state: 'revoked' }), false, 'open')).toMatchObject({ accepted: false })
  })
})

describe('the copy', () => {
  const id = sampleEnforcement().organization_id

  test('takes a higher revision only, also beyond what a double can tell apart', () => {
    const copy = createEnforcementCopy()
    expect(copy.apply(sampleEnforcement({ revision: '9007199254740993', state: 'warned' }))).toBe(true)
    expect(copy.apply(sampleEnforcement({ revision: '9007199254740992', state: 'revoked' }))).toBe(false)
    expect(copy.apply(sampleEnforcement({ revision: '9007199254740993', state: 'revoked' }))).toBe(false)
    expect(copy.apply(sampleEnforcement({ revision: '9007199254740994', state: 'downgraded' }))).toBe(true)
    expect(copy.get(id)?.state).toBe('downgraded')
    expect(copy.get('somebody-else')).toBeUndefined()
  })

  test('any order and repetition of messages ends at the highest revision', () => {
    const revisions = fc.array(fc.bigInt(1n, 2n ** 63n - 1n), { minLength: 1, maxLength: 30 })
    fc.assert(
      fc.property(revisions, (list) => {
        const copy = createEnforcementCopy()
        for (const revision of list) copy.apply(sampleEnforcement({ revision: String(revision) }))
        const highest = list.toSorted((one, other) => (one < other ? -1 : 1)).at(-1)
        expect(copy.get(id)?.revision).toBe(String(highest))
      }),
    )
  })
})

test('a lease counts from when its proof was asked for, and never shrinks', () => {
  let nowMs = 1_000
  const lease = createLease(2_000, () => nowMs)
  expect(lease.isHeld()).toBe(false)
  lease.renew(900)
  lease.renew(500)
  nowMs = 2_899
  expect(lease.isHeld()).toBe(true)
  nowMs = 2_900
  expect(lease.isHeld()).toBe(false)
})
