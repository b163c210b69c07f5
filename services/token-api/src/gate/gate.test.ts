import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { sampleClaims, sampleEnforcement } from '../testing/claims.ts'
import { createEnforcementCopy, type GateState, type Known } from './enforcement-copy.ts'
import { type FailMode, type GatedClaims, type GateSettings, judge as judgeAt } from './gate.ts'
import { createLease } from './lease.ts'
import { createRevocationCopy } from './revocations.ts'

const claims = sampleClaims({ ver: 3 })
const NOTHING = { organization: undefined, user: undefined, control: undefined }

const PERIOD_END = Date.parse('2026-12-01T00:00:00Z')
const judgeAll = (ofClaims: GatedClaims, known: Known, leased: boolean, settings: GateSettings) =>
  judgeAt(ofClaims, known, leased, settings, PERIOD_END - 1)

/** Where only the organization was ever decided upon. */
const judge = (ofClaims: typeof claims, organization: GateState | undefined, leased: boolean, failMode: FailMode) =>
  judgeAll(ofClaims, { ...NOTHING, organization }, leased, { failMode, observe: false })

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

describe('judge, when the period of a decision is over and nobody has decided anew', () => {
  const settings = { failMode: 'closed', observe: false } as const
  const state = (changes: Parameters<typeof sampleEnforcement>[0]) =>
    sampleEnforcement({ state: 'revoked', period_end: new Date(PERIOD_END).toISOString(), ...changes })
  const reasonAt = (known: Partial<Known>, nowMs: number) => {
    const verdict = judgeAt(claims, { ...NOTHING, ...known }, true, settings, nowMs)
    return verdict.accepted ? undefined : verdict.reason
  }

  test.each(['organization', 'user'] as const)(
    'what lapses of the %s is over at that instant, and not before',
    (of) => {
      const known = { [of]: state({ lapses: true, version: of === 'user' ? 0 : 3 }) }
      expect([reasonAt(known, PERIOD_END - 1), reasonAt(known, PERIOD_END)]).toEqual([`${of}_revoked`, undefined])
    },
  )
  test('a token from before the revocation stays superseded', () => {
    expect(reasonAt({ organization: state({ lapses: true, version: 4 }) }, PERIOD_END)).toBe('superseded')
  })
  test.each([{ lapses: false }, {}])('what does not lapse (%j) refuses until somebody decides', (changes) => {
    expect(reasonAt({ organization: state(changes) }, PERIOD_END + 86_400_000)).toBe('organization_revoked')
  })
})

describe('judge, for a user with a limit', () => {
  const closed = { failMode: 'closed', observe: false } as const
  const state = (version: number, changes: Parameters<typeof sampleEnforcement>[0] = {}) =>
    sampleEnforcement({ version, user_id: claims.sub, ...changes })

  test('the organization comes first, then the user', () => {
    const user = state(1, { state: 'revoked' })
    expect(judgeAll(claims, { ...NOTHING, user }, true, closed)).toMatchObject({ reason: 'user_revoked' })
    const organization = sampleEnforcement({ state: 'revoked' })
    expect(judgeAll(claims, { ...NOTHING, user, organization }, true, closed)).toMatchObject({
      reason: 'organization_revoked',
    })
  })
  test('a token carries both versions: whichever rises supersedes it', () => {
    const known = (organization: number, user: number) => ({
      ...NOTHING,
      organization: sampleEnforcement({ version: organization }),
      user: state(user),
    })
    expect(judgeAll(claims, known(2, 1), true, closed)).toEqual({ accepted: true })
    expect(judgeAll(claims, known(3, 1), true, closed)).toMatchObject({ reason: 'superseded' })
    expect(judgeAll(claims, known(2, 2), true, closed)).toMatchObject({ reason: 'superseded' })
  })
})

describe('judge, for the whole installation', () => {
  const control = {
    control: true,
    paused: true,
    epoch: 1,
    version_floor: 0,
    revision: '1',
    decision_id: null,
  } as const
  const revoked = sampleEnforcement({ state: 'revoked' })

  test('paused or observing refuses nobody for a state, and a closed gate still refuses without a lease', () => {
    const known = { ...NOTHING, organization: revoked, control }
    expect(judgeAll(claims, known, true, { failMode: 'closed', observe: false })).toEqual({ accepted: true })
    expect(judgeAll(claims, known, false, { failMode: 'closed', observe: false })).toMatchObject({ accepted: false })
    const observing = { failMode: 'closed', observe: true } as const
    expect(judgeAll(claims, { ...known, control: undefined }, true, observing)).toEqual({ accepted: true })
  })
  test('a new epoch supersedes tokens of organizations that were never decided upon', () => {
    const known = { ...NOTHING, control: { ...control, paused: false, epoch: 2, version_floor: 1_700_000_000 } }
    const settings = { failMode: 'closed', observe: false } as const
    expect(judgeAll(claims, known, true, settings)).toMatchObject({ reason: 'superseded' })
    expect(judgeAll({ ...claims, ver: 1_700_000_000 }, known, true, settings)).toEqual({ accepted: true })
  })
})

describe('the copy', () => {
  test('an epoch comes before any revision', () => {
    const copy = createEnforcementCopy()
    expect(copy.apply(sampleEnforcement({ revision: '900', state: 'revoked' }))).toBe(true)
    expect(copy.apply(sampleEnforcement({ epoch: 2, revision: '5', state: 'active' }))).toBe(true)
    expect(copy.apply(sampleEnforcement({ epoch: 1, revision: '901', state: 'revoked' }))).toBe(false)
  })

  const id = sampleEnforcement().organization_id

  test('takes a higher revision only, also beyond what a double can tell apart', () => {
    const copy = createEnforcementCopy()
    expect(copy.apply(sampleEnforcement({ revision: '9007199254740993', state: 'warned' }))).toBe(true)
    expect(copy.apply(sampleEnforcement({ revision: '9007199254740992', state: 'revoked' }))).toBe(false)
    expect(copy.apply(sampleEnforcement({ revision: '9007199254740993', state: 'revoked' }))).toBe(false)
    expect(copy.apply(sampleEnforcement({ revision: '9007199254740994', state: 'downgraded' }))).toBe(true)
    expect(copy.get(id, 'user').organization?.state).toBe('downgraded')
    expect(copy.get('somebody-else', 'user')).toEqual(NOTHING)
  })

  test('any order and repetition of messages ends at the highest revision', () => {
    const revisions = fc.array(fc.bigInt(1n, 2n ** 63n - 1n), { minLength: 1, maxLength: 30 })
    fc.assert(
      fc.property(revisions, (list) => {
        const copy = createEnforcementCopy()
        for (const revision of list) copy.apply(sampleEnforcement({ revision: String(revision) }))
        const highest = list.toSorted((one, other) => (one < other ? -1 : 1)).at(-1)
        expect(copy.get(id, 'user').organization?.revision).toBe(String(highest))
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

describe('the copy of revocations', () => {
  const revocation = fc.record({
    kind: fc.constantFrom('jti' as const, 'sid' as const),
    id: fc.constantFrom('a', 'b', 'c'),
    expires_at: fc.integer({ min: 0, max: 20 }),
  })

  test('refuses for as long as the longest of them says, in any order, and keeps nothing beyond', () => {
    fc.assert(
      fc.property(fc.array(revocation), fc.integer({ min: 0, max: 20 }), (revocations, now) => {
        const copy = createRevocationCopy()
        for (const one of revocations) copy.apply(one)
        copy.prune(now)
        const isHeld = (kind: 'jti' | 'sid', id: string) =>
          revocations.some((one) => one.kind === kind && one.id === id && one.expires_at >= now)
        const ids = ['a', 'b', 'c']
        for (const id of ids) {
          expect(copy.refusalOf({ jti: id, sid: 'x' })).toBe(isHeld('jti', id) ? 'revoked' : undefined)
          expect(copy.refusalOf({ jti: 'x', sid: id })).toBe(isHeld('sid', id) ? 'session_ended' : undefined)
        }
        const held = ids.flatMap((id) => [isHeld('jti', id), isHeld('sid', id)]).filter((one) => one)
        expect(copy.size).toBe(held.length)
      }),
    )
  })
})
