import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { addKey, addOrganization, addUser, usageEvent } from './support/seed.ts'
import { type Bench, openBench } from './support/start-api.ts'

let bench: Bench
let key: string
let organization: string
let user: string
beforeAll(async () => {
  bench = await openBench()
  organization = await addOrganization(bench.db)
  user = await addUser(bench.db, organization)
  key = await addKey(bench.db, ['events:write'])
})
afterAll(() => bench.stop())

const events = (count: number) => JSON.stringify(Array.from({ length: count }, () => usageEvent(organization, user)))

async function post(body: Uint8Array | ReadableStream, encoding: string) {
  const response = await fetch(`${bench.api.url}/v1/events`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json', 'content-encoding': encoding },
    body,
    duplex: 'half',
  })
  const text = await response.text()
  return { status: response.status, headers: response.headers, body: JSON.parse(text) }
}

const peakMb = () => process.resourceUsage().maxRSS / 1_024

describe('a compressed body', () => {
  test.each(['gzip', 'GZIP', 'x-gzip'])('of %s is taken', async (encoding) => {
    const answer = await post(gzipSync(events(1_000)), encoding)
    expect(answer).toMatchObject({ status: 202, body: { accepted: 1_000, rejected: [] } })
  })

  test('may be sent in pieces without a length', async () => {
    const body = gzipSync(events(100))
    const pieces = new ReadableStream({
      start: (controller) => {
        for (let from = 0; from < body.length; from += 1_000) controller.enqueue(body.subarray(from, from + 1_000))
        controller.close()
      },
    })
    expect(await post(pieces, 'gzip')).toMatchObject({ status: 202, body: { accepted: 100 } })
  })

  test('identity is no compression', async () => {
    expect((await post(Buffer.from(events(2)), 'identity')).status).toBe(202)
  })

  test('that inflates to more than the limit is refused, whatever it would have become', async () => {
    const bomb = gzipSync(Buffer.alloc(256 * 1_024 * 1_024, 32), { level: 9 })
    expect(bomb.length).toBeLessThan(300_000)
    const before = peakMb()
    const answers = await Promise.all(Array.from({ length: 8 }, () => post(bomb, 'gzip')))
    for (const answer of answers) {
      expect(answer.status).toBe(413)
      expect(answer.body.type).toMatch(/payload-too-large$/)
    }
    // Eight bombs whole would be 2 GB.
    expect(peakMb() - before).toBeLessThan(300)
  })

  test('a bomb inside a bomb stays as it is: one encoding is undone, not two', async () => {
    const inner = gzipSync(gzipSync(Buffer.alloc(64 * 1_024 * 1_024, 32)))
    expect((await post(inner, 'gzip')).status).toBe(400)
    expect((await post(inner, 'gzip, gzip')).status).toBe(415)
  })

  const CUT: [string, () => Buffer][] = [
    ['cut off', () => gzipSync(events(50)).subarray(0, 200)],
    ['with a wrong checksum', () => Buffer.concat([gzipSync(events(5)).subarray(0, -8), Buffer.alloc(8, 1)])],
    ['not compressed at all', () => Buffer.from(events(1))],
  ]
  test.each(CUT)('%s is a bad request', async (_name, body) => {
    const answer = await post(body(), 'gzip')
    expect(answer.status).toBe(400)
    expect(answer.body.type).toMatch(/bad-request$/)
  })

  test.each(['br', 'deflate', 'zstd', 'gzip;q=1', 'gzip, identity'])('of %s is refused unread', async (encoding) => {
    const answer = await post(Buffer.from(events(1)), encoding)
    expect(answer.status).toBe(415)
    expect(answer.headers.get('accept-encoding')).toBe('gzip, identity')
  })
})
