import { makeWebhookSecret } from '@tollgate/shared/webhooks'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createSendWebhook } from '../src/send-webhook.ts'
import { openReceiver, type Receiver } from './receiver.ts'

let receiver: Receiver
beforeAll(async () => {
  receiver = await openReceiver()
})
afterAll(() => receiver.close())

const message = (url: string) => ({ id: 'a', url, body: '{}', secrets: [makeWebhookSecret()] })
const signal = new AbortController().signal
const inside = [
  '127.0.0.1',
  '::1',
  '10.0.0.1',
  '169.254.169.254',
  '::ffff:127.0.0.1',
  '64:ff9b::7f00:1',
  'fd00::1',
  'fe80::1',
]

test.each(inside)('a name that leads to %s is not called, also beside a public address', async (address) => {
  const resolve = async () => [
    { address: '1.1.1.1', family: 4 },
    { address, family: address.includes(':') ? 6 : 4 },
  ]
  const send = createSendWebhook({ allowPrivate: false, timeoutMs: 2_000, now: Date.now, resolve })
  expect(await send(message('https://hooks.example.com/'), signal)).toEqual({
    delivered: false,
    status: null,
    error: 'The name leads to an address that is not one of the public Internet.',
  })
})

test('a name server that answers otherwise the second time is not asked a second time', async () => {
  const answers = [[{ address: '203.0.113.1', family: 4 }], [{ address: '127.0.0.1', family: 4 }]]
  let asked = 0
  const resolve = async () => answers[Math.min(asked++, 1)] ?? []
  const url = `http://rebind.example.com:${receiver.port}/`
  const send = createSendWebhook({ allowPrivate: true, timeoutMs: 500, now: Date.now, resolve })
  expect(await send(message(url), signal)).toMatchObject({ delivered: false })
  expect([asked, receiver.received.length]).toEqual([1, 0])
  // The proof that the answer is what decides: the same URL reaches the receiver when the first answer leads there.
  const patient = createSendWebhook({ allowPrivate: true, timeoutMs: 10_000, now: Date.now, resolve })
  expect(await patient(message(url), signal)).toMatchObject({ delivered: true })
})
