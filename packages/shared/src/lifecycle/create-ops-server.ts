import { fastify } from 'fastify'
import { type OpsOptions, opsRoutes } from './ops-routes.ts'

/** A small HTTP server for services that have none of their own. */
export interface OpsServer {
  /** Starts to listen and gives the address; port 0 takes a free one. */
  listen(): Promise<string>
  close(): Promise<void>
}

/** Makes the operations server of a worker; see `opsRoutes` for what it serves. */
export function createOpsServer({ host, port, ...ops }: OpsOptions & { host: string; port: number }): OpsServer {
  const app = fastify({ logger: false, forceCloseConnections: true, requestTimeout: 10_000 })
  app.register(opsRoutes, ops)
  return {
    listen: () => app.listen({ host, port }),
    close: () => app.close(),
  }
}
