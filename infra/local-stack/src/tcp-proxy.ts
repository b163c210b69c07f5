import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'

/**
 * What a proxy does to connections. `pass` forwards; `delay` forwards replies late; `swallow` takes the server's replies
 * away; `cut` closes a connection instead of replying on it; `shut` closes all of them and takes no new one.
 */
export type ProxyMode = 'pass' | 'delay' | 'swallow' | 'cut' | 'shut'

/** A proxy that damages connections on demand. */
export interface TcpProxy {
  readonly port: number
  mode: ProxyMode
  /** How late replies are in the mode `delay`. */
  delayMs: number
  /** Closes the connections that were swallowed from: their replies will never come. */
  drop(): void
  close(): Promise<void>
}

/** Starts a proxy in front of a local port. */
export async function startProxy(targetPort: number): Promise<TcpProxy> {
  const sockets = new Set<Socket>()
  const damaged = new Set<Socket>()
  let mode: ProxyMode = 'pass'
  const dropAll = (those: Iterable<Socket>) => {
    for (const socket of [...those]) socket.destroy()
  }
  const server = createServer((client) => {
    if (mode === 'shut') return void client.destroy()
    const target = connect(targetPort, '127.0.0.1')
    // Replies wait for one another, so that a late one is never overtaken.
    let last = Promise.resolve()
    for (const socket of [client, target]) {
      sockets.add(socket)
      socket.on('error', () => undefined)
      socket.on('close', () => sockets.delete(socket))
    }
    client.on('close', () => {
      damaged.delete(client)
      target.destroy()
    })
    // What the server has said before it hung up still arrives.
    target.on('close', () => void last.then(() => client.end()))
    client.pipe(target)
    target.on('data', (reply) => {
      if (mode === 'cut') return void client.destroy()
      if (mode === 'swallow') return void damaged.add(client)
      const dueMs = performance.now() + (mode === 'delay' ? proxy.delayMs : 0)
      last = last.then(async () => {
        const leftMs = dueMs - performance.now()
        if (leftMs > 0) await delay(leftMs)
        if (!client.destroyed) client.write(reply)
      })
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const port = address !== null && typeof address !== 'string' ? address.port : 0

  const proxy: TcpProxy = {
    port,
    delayMs: 0,
    get mode() {
      return mode
    },
    set mode(next) {
      mode = next
      if (next === 'shut') dropAll(sockets)
    },
    drop: () => dropAll(damaged),
    close: async () => {
      server.close()
      dropAll(sockets)
      await once(server, 'close')
    },
  }
  return proxy
}
