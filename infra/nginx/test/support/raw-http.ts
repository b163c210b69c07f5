import { connect, type Socket } from 'node:net'

/** What came back on a connection, until the other side closed it or was silent for long. */
export interface RawAnswer {
  readonly text: string
  /** Of each answer on the connection, in their order. */
  readonly statuses: number[]
}

const SILENCE_MS = 700

/** Sends bytes as they are and reads until the end; the client never closes first, since nginx would give up then. */
export async function sendRaw(port: number, bytes: string | Buffer, silenceMs = SILENCE_MS): Promise<RawAnswer> {
  const socket = connect(port, '127.0.0.1')
  let text = ''
  await new Promise<void>((done) => {
    socket.setTimeout(silenceMs)
    socket.on('data', (chunk: Buffer) => (text += chunk.toString('latin1')))
    socket.once('timeout', done).once('close', () => done())
    socket.on('error', () => done())
    socket.once('connect', () => socket.write(bytes))
  })
  socket.destroy()
  return { text, statuses: [...text.matchAll(/HTTP\/1\.[01] (\d{3}) /g)].map(([, status]) => Number(status)) }
}

/** Writes a request with the lines given, which may be anything; by default the connection closes after it. */
export function rawRequest(
  line: string,
  headers: readonly string[] = [],
  body = '',
  end = 'Connection: close',
): string {
  const lines = [line, 'Host: chat.test', ...headers, ...(end === '' ? [] : [end])]
  return `${lines.join('\r\n')}\r\n\r\n${body}`
}

/** Opens a websocket by hand; gives the socket and the head of the answer. */
export async function openWebsocket(
  port: number,
  headers: readonly string[],
): Promise<{ socket: Socket; head: string }> {
  const socket = connect(port, '127.0.0.1')
  const upgrade = ['Upgrade: websocket', 'Sec-WebSocket-Version: 13', 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==']
  socket.write(rawRequest('GET /socket HTTP/1.1', [...upgrade, ...headers], '', 'Connection: Upgrade'))
  const head = await new Promise<string>((done, failed) => {
    socket.once('data', (chunk: Buffer) => done(chunk.toString('latin1'))).once('error', failed)
  })
  return { socket, head }
}
