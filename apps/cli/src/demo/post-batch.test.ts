import { describe, expect, it } from 'vitest'
import type { EventBatch } from './build-batches.ts'
import { postBatch } from './post-batch.ts'
import type { JsonAnswer, JsonRequest } from './request-json.ts'

const event = (id: string) => ({ id, organizationId: 'o', inputTokens: 1, outputTokens: 1 })
const batch: EventBatch = { index: 0, events: [event('a'), event('b')], body: '[{"id":"a"},{"id":"b"}]' }
const taken = { status: 200, body: { accepted: 2, recorded: 1, duplicate: 1, rejected: [] } }

type Step = Error | { status: number; body?: unknown; retryAfter?: string }

/** A server that answers as told, and a clock that only sleeping moves. */
function play(steps: readonly Step[]) {
  const sent: JsonRequest[] = []
  const slept: number[] = []
  let clock = 0
  const options = {
    tokenApi: 'http://tollgate.test',
    ingestKey: 'tg_key',
    random: () => 0.5,
    now: () => clock,
    sleep: async (ms: number) => {
      slept.push(ms)
      clock += ms
    },
    request: async (_url: string, request: JsonRequest): Promise<JsonAnswer> => {
      sent.push(request)
      const step = steps[Math.min(sent.length, steps.length) - 1]
      if (!step || step instanceof Error) throw step ?? new Error('nothing to answer')
      const headers = new Headers(step.retryAfter === undefined ? {} : { 'retry-after': step.retryAfter })
      return { status: step.status, body: step.body ?? null, headers }
    },
  }
  return { options, sent, slept }
}

describe('posting a batch', () => {
  it('sends the same bytes again after 429, 503 and a lost connection', async () => {
    const { options, sent } = play([{ status: 503 }, new TypeError('fetch failed'), { status: 429 }, taken])
    const answer = await postBatch(batch, 10, options)
    expect(answer).toMatchObject({ accepted: 2, settled: { recorded: 1, duplicate: 1 }, rejected: [], attempts: 4 })
    expect(sent.map(({ body }) => body)).toEqual([batch.body, batch.body, batch.body, batch.body])
    expect(sent.every(({ headers }) => headers?.prefer === 'wait=10')).toBe(true)
  })

  it('waits at least as long as Retry-After asks, and with growing, bounded pauses otherwise', async () => {
    const refused = Array.from({ length: 9 }, () => ({ status: 503 }))
    const { options, slept } = play([{ status: 503, retryAfter: '3' }, ...refused, taken])
    await postBatch(batch, 0, options)
    expect(slept).toEqual([3_100, 200, 400, 800, 1_600, 2_500, 2_500, 2_500, 2_500, 2_500])
  })

  it('gives up when its time is used up, and says why', async () => {
    const { options } = play([{ status: 503, body: { title: 'A service that this needs is away' } }])
    await expect(postBatch(batch, 0, { ...options, budgetMs: 20_000 })).rejects.toThrow(
      /batch 1 was not accepted within 20 s: status 503: A service/,
    )
  })

  it('does not repeat what will not pass, and shows the reasons', async () => {
    const body = {
      title: 'No event of the request could be used',
      rejected: [{ index: 0, id: 'a', reason: 'too_late' }],
    }
    const { options, sent } = play([{ status: 400, body }])
    await expect(postBatch(batch, 0, options)).rejects.toThrow(/No event.*too_late/)
    expect(sent).toHaveLength(1)
  })

  it('knows an acceptance (202) from an outcome', async () => {
    const { options } = play([{ status: 202, body: { accepted: 2, rejected: [] } }])
    expect(await postBatch(batch, 10, options)).toMatchObject({ accepted: 2, settled: null })
  })

  it('takes an answer that leaves an event out for a fault', async () => {
    const { options } = play([{ status: 202, body: { accepted: 1, rejected: [] } }])
    await expect(postBatch(batch, 10, options)).rejects.toThrow(/batch 1 was not taken/)
  })
})
