import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

/** A way to Postgres on which an answer can be lost. */
export interface LossyWay {
  /** The address of Postgres over this way. */
  readonly url: string
  /** Cuts the connection of the next query that has this text in it, when Postgres has done and committed it. */
  loseAnswerTo(text: string): void
  stop(): void
}

// ReadyForQuery, outside of any transaction: what came before it is committed.
const IS_DONE = Buffer.from('5a0000000549', 'hex')

/** Opens such a way to the Postgres of a URL. */
export async function openLossyWay(postgresUrl: string): Promise<LossyWay> {
  const { hostname, port } = new URL(postgresUrl)
  const sockets = new Set<Socket>()
  let lost: string | undefined
  const server = createServer((near) => {
    const far = connect(Number(port), hostname)
    let isLost = false
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(from)
      from.on('error', () => undefined).on('close', () => to.destroy())
    }
    near.on('data', (chunk) => {
      if (lost !== undefined && chunk.includes(lost)) {
        isLost = true
        lost = undefined
      }
      far.write(chunk)
    })
    far.on('data', (chunk) => {
      if (!isLost) near.write(chunk)
      else if (chunk.subarray(-IS_DONE.length).equals(IS_DONE)) near.destroy()
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = new URL(postgresUrl)
  url.hostname = '127.0.0.1'
  // The server listens on TCP.
  url.port = String((server.address() as AddressInfo).port)
  return {
    url: url.href,
    loseAnswerTo: (text) => {
      lost = text
    },
    stop: () => {
      server.close()
      for (const socket of sockets) socket.destroy()
    },
  }
}
