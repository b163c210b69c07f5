import { once } from 'node:events'
import net from 'node:net'

/** A door in front of a server: while it is shut, connections are refused as if the server were away. */
export interface TcpGate {
  /** The server's URL, with the door's address. */
  readonly url: string
  open(): Promise<void>
  /** Refuses new connections and cuts the present ones. */
  shut(): Promise<void>
}

/** Makes a door to the server of `target`; it is shut at first. */
export async function createTcpGate(target: string): Promise<TcpGate> {
  const to = new URL(target)
  const sockets = new Set<net.Socket>()
  const server = net.createServer((socket) => {
    const onward = net.connect(Number(to.port), to.hostname)
    for (const [one, other] of [
      [socket, onward],
      [onward, socket],
    ] as const) {
      sockets.add(one)
      one.pipe(other)
      one.on('error', () => undefined)
      one.on('close', () => {
        sockets.delete(one)
        other.destroy()
      })
    }
  })
  const listen = async (port: number) => {
    server.listen(port, '127.0.0.1')
    await once(server, 'listening')
  }
  const shut = async () => {
    const closed = once(server, 'close')
    server.close()
    for (const socket of sockets) socket.destroy()
    await closed
  }
  await listen(0)
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the door has no port')
  await shut()
  const url = new URL(target)
  url.hostname = '127.0.0.1'
  url.port = String(address.port)
  return { url: url.toString(), open: () => listen(address.port), shut }
}
