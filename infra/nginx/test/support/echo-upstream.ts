import { createHash } from 'node:crypto'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'

/** One request as it arrived where LibreChat would be. */
export interface Arrival {
  readonly method: string
  readonly url: string
  /** Names in lower case, each with all of its values. */
  readonly headers: Readonly<Record<string, string[]>>
  readonly body: string
}

/** Stands where LibreChat would: answers every request, and remembers it. */
export interface EchoUpstream {
  readonly port: number
  readonly arrivals: Arrival[]
  /** Ends all websockets and stops. */
  stop(): Promise<void>
}

const WEBSOCKET_GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'

function headersOf({ rawHeaders }: IncomingMessage): Record<string, string[]> {
  const headers: Record<string, string[]> = {}
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = (rawHeaders[index] ?? '').toLowerCase()
    headers[name] = [...(headers[name] ?? []), rawHeaders[index + 1] ?? '']
  }
  return headers
}

/** Starts it on a free port. It sets a cookie like LibreChat's, forbids framing, and tries to send nginx elsewhere. */
export async function startEchoUpstream(): Promise<EchoUpstream> {
  const arrivals: Arrival[] = []
  const sockets = new Set<Socket>()
  const note = (request: IncomingMessage, body: string): Arrival => {
    const arrival = { method: request.method ?? '', url: request.url ?? '', headers: headersOf(request), body }
    arrivals.push(arrival)
    return arrival
  }
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk)
    const arrival = note(request, Buffer.concat(chunks).toString())
    response.setHeader('content-type', 'application/json')
    response.setHeader('set-cookie', 'refreshToken=abc; Path=/; HttpOnly; SameSite=Strict')
    response.setHeader('x-frame-options', 'DENY')
    if (arrival.url.startsWith('/accel')) response.setHeader('x-accel-redirect', '/_tollgate/page')
    const status = /^\/status\/(\d{3})$/.exec(arrival.url)?.[1]
    response.statusCode = status === undefined ? 200 : Number(status)
    response.end(JSON.stringify(arrival))
  })
  server.on('upgrade', (request, socket: Socket) => {
    note(request, '')
    sockets.add(socket)
    const key = request.headers['sec-websocket-key'] ?? ''
    const accept = createHash('sha1')
      .update(key + WEBSOCKET_GUID)
      .digest('base64')
    const head = ['HTTP/1.1 101 Switching Protocols', 'Upgrade: websocket', 'Connection: Upgrade']
    socket.write(`${head.join('\r\n')}\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`)
    socket.on('data', (bytes) => void socket.write(bytes)).on('error', () => undefined)
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  const { port } = server.address() as AddressInfo
  const stop = async () => {
    for (const socket of sockets) socket.destroy()
    server.closeAllConnections()
    await new Promise((done) => server.close(done))
  }
  return { port, arrivals, stop }
}
