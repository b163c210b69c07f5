import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Webhook, WebhookVerificationError } from 'standardwebhooks'

interface Received {
  readonly id: string
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

/** An HTTP server that keeps what it gets and answers with `status`. */
export async function openReceiver() {
  const received: Received[] = []
  const answer: { status: number; headers: Record<string, string> } = { status: 200, headers: {} }
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk)
    received.push({
      id: String(request.headers['webhook-id']),
      headers: request.headers,
      body: Buffer.concat(chunks).toString(),
    })
    response.writeHead(answer.status, answer.headers).end('thanks')
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  const { port } = server.address() as AddressInfo
  return {
    received,
    answer,
    port,
    url: `http://127.0.0.1:${port}/hook`,
    types: () => received.map(({ body }) => JSON.parse(body).type as string),
    close: () => new Promise<void>((done) => server.close(() => done())),
  }
}

/** A running receiver. */
export type Receiver = Awaited<ReturnType<typeof openReceiver>>

/** Whether the independent implementation of Standard Webhooks accepts what was received. */
export function isGood({ headers, body }: Received, secret: string): boolean {
  try {
    new Webhook(secret).verify(body, headers as Record<string, string>)
    return true
  } catch (error) {
    if (error instanceof WebhookVerificationError) return false
    throw error
  }
}
