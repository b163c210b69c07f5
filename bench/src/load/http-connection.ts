import { connect, type Socket } from 'node:net'
import { BenchError } from '../bench-error.ts'

/** An answer, as far as the bench looks at it. */
export interface HttpAnswer {
  readonly status: number
  readonly body: string
}

/** One kept connection, with one request under way at a time. */
export interface HttpConnection {
  exchange(request: Buffer): Promise<HttpAnswer>
  close(): void
}

const HEAD_END = '\r\n\r\n'

/**
 * Opens a connection that sends ready-made HTTP/1.1 requests and takes just enough of the answers apart. `fetch` and
 * `node:http` cost more time than the servers that are measured, on the same cores. One that the server closed while
 * it was idle is opened again for the next request.
 */
export async function openHttpConnection(url: string): Promise<HttpConnection> {
  const { hostname, port } = new URL(url)
  if (hostname !== '127.0.0.1') throw new BenchError(`Load is sent to 127.0.0.1 alone, not to ${hostname}.`)
  const open = async () => {
    const socket = connect({ host: hostname, port: Number(port), noDelay: true })
    await new Promise<void>((connected, failed) => socket.once('connect', connected).once('error', failed))
    return speakOver(socket)
  }
  let current = await open()
  return {
    exchange: async (request) => {
      if (!current.isOpen()) current = await open()
      return current.exchange(request)
    },
    close: () => current.close(),
  }
}

function speakOver(socket: Socket) {
  let pending: Buffer = Buffer.alloc(0)
  let waiting: PromiseWithResolvers<HttpAnswer> | undefined
  const fail = (reason: string) => {
    waiting?.reject(new BenchError(reason))
    waiting = undefined
    socket.destroy()
  }
  socket.on('error', (error) => fail(`The connection broke: ${error.message}`))
  socket.on('end', () => fail('The connection was ended before the answer came.'))
  socket.on('close', () => fail('The connection was closed before the answer came.'))
  socket.on('data', (chunk: Buffer) => {
    pending = pending.length === 0 ? chunk : Buffer.concat([pending, chunk])
    const answer = readAnswer(pending)
    if (answer === undefined) return
    pending = Buffer.alloc(0)
    waiting?.resolve(answer)
    waiting = undefined
  })
  return {
    isOpen: () => !socket.destroyed,
    exchange: (request: Buffer): Promise<HttpAnswer> => {
      waiting = Promise.withResolvers<HttpAnswer>()
      const { promise } = waiting
      socket.write(request)
      return promise
    },
    close: () => void socket.destroy(),
  }
}

/** The answer at the beginning of `bytes`; undefined while it is not whole. @throws BenchError for one without a length */
export function readAnswer(bytes: Buffer): HttpAnswer | undefined {
  const headEnd = bytes.indexOf(HEAD_END)
  if (headEnd < 0) return undefined
  const head = bytes.toString('latin1', 0, headEnd)
  const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1]
  if (length === undefined) throw new BenchError(`An answer has no length:\n${head}`)
  const bodyStart = headEnd + HEAD_END.length
  const bodyEnd = bodyStart + Number(length)
  if (bytes.length < bodyEnd) return undefined
  return { status: Number(head.slice(9, 12)), body: bytes.toString('utf8', bodyStart, bodyEnd) }
}

/** Opens several connections at once. */
export function openHttpConnections(url: string, count: number): Promise<HttpConnection[]> {
  return Promise.all(Array.from({ length: count }, () => openHttpConnection(url)))
}
