import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'

/** A proxy that damages a connection on demand. */
export interface TcpProxy {
  readonly port: number
  /** `pass` forwards; `swallow` takes the server's replies away; `cut` closes the connection instead of replying. */
  mode: 'pass' | 'swallow' | 'cut'
  close(): Promise<void>
}

/** Starts a proxy in front of a local port. */
export async function startProxy(targetPort: number): Promise<TcpProxy> {
  const sockets = new Set<Socket>()
  const proxy = { port: 0, mode: 'pass' as TcpProxy['mode'], close }
  const server = createServer((client) => {
    const target = connect(targetPort, '127.0.0.1')
    for (const socket of [client, target]) {
      sockets.add(socket)
      socket.on('error', () => undefined)
      socket.on('close', () => {
        sockets.delete(socket)
        client.destroy()
        target.destroy()
      })
    }
    client.pipe(target)
    target.on('data', (reply) => {
      if (proxy.mode === 'pass') client.write(reply)
      if (proxy.mode === 'cut') client.destroy()
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address !== null && typeof address !== 'string') proxy.port = address.port

  async function close(): Promise<void> {
    server.close()
    for (const socket of sockets) socket.destroy()
    await once(server, 'close')
  }
  return proxy
}
