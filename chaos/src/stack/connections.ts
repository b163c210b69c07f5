import { startProxy, type TcpProxy } from '@tollgate/local-stack'

/** The connections of the services to their servers, each process's through a proxy of its own. */
export interface Connections {
  /** Leads a process to its proxies. */
  adaptEnv(label: string, env: NodeJS.ProcessEnv): Promise<NodeJS.ProcessEnv>
  /** The proxy of `<process> <server>`. */
  of(target: string): TcpProxy
  close(): Promise<void>
}

const VARIABLES = { redis: 'REDIS_URL', postgres: 'DATABASE_URL' } as const

/** Makes the way through proxies. */
export function createConnections(): Connections {
  const proxies = new Map<string, TcpProxy>()
  const lead = async (name: string, url: string): Promise<string> => {
    const target = new URL(url)
    const proxy = await startProxy(Number(target.port))
    proxies.set(name, proxy)
    target.port = String(proxy.port)
    return target.toString()
  }
  return {
    adaptEnv: async (label, env) => {
      const led: NodeJS.ProcessEnv = { ...env }
      for (const [server, variable] of Object.entries(VARIABLES)) {
        led[variable] = await lead(`${label} ${server}`, env[variable] ?? '')
      }
      return led
    },
    of: (target) => {
      const proxy = proxies.get(target)
      if (proxy === undefined) throw new RangeError(`There is no connection ${target}.`)
      return proxy
    },
    close: async () => {
      await Promise.all([...proxies.values()].map((proxy) => proxy.close()))
    },
  }
}
