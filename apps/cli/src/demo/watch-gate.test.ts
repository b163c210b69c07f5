import { expect, it } from 'vitest'
import { type VerifyAnswer, type WatchOptions, watchGate } from './watch-gate.ts'

const passes: VerifyAnswer = { status: 200, reason: null, body: { active: true } }
const refuses = (reason: string): VerifyAnswer => ({ status: 401, reason, body: { reason } })

/** A clock that moves by one with each look at it; answers come from a list. */
function setUp(answers: readonly (VerifyAnswer | Error)[], options: Partial<WatchOptions> = {}) {
  const asked: string[] = []
  let clock = 0
  const watch = watchGate({
    verify: async (token) => {
      const answer = answers[asked.length]
      asked.push(token)
      if (!answer || answer instanceof Error) throw answer ?? new Error('nothing more to answer')
      return answer
    },
    token: 'first',
    awaits: 'superseded',
    renew: async () => 'second',
    now: () => ++clock,
    sleep: async () => {},
    intervalMs: 25,
    ...options,
  })
  return { watch, asked }
}

it('ends with the awaited refusal and knows the last pass', async () => {
  const { watch } = setUp([passes, passes, refuses('superseded')])
  const result = await watch.done
  expect(result).toMatchObject({
    passed: 2,
    refusals: { superseded: 1 },
    awaited: { lastPassedAtMs: 3, answeredAtMs: 6 },
  })
})

it('passes over lost connections and other refusals', async () => {
  const { watch } = setUp([new Error('gone'), refuses('gate_unavailable'), passes, refuses('superseded')])
  expect(await watch.done).toMatchObject({ unanswered: 1, refusals: { gate_unavailable: 1, superseded: 1 }, passed: 1 })
})

it('renews a superseded token on the way to a revocation', async () => {
  const answers = [passes, refuses('superseded'), passes, refuses('organization_revoked')]
  const { watch, asked } = setUp(answers, { awaits: 'organization_revoked' })
  expect(await watch.done).toMatchObject({ renewed: 1, awaited: { reason: 'organization_revoked' } })
  expect(asked).toEqual(['first', 'first', 'second', 'second'])
})

it('stops when it is told to', async () => {
  const endless = Array.from({ length: 1_000 }, () => passes)
  const { watch } = setUp(endless, { awaits: null, sleep: () => new Promise((done) => setImmediate(done)) })
  watch.stop()
  expect((await watch.done).awaited).toBeNull()
})
