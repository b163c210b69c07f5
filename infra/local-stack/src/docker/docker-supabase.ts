import { GenericContainer } from 'testcontainers'
import { choosePorts } from '../ports.ts'
import type { Server } from '../server.ts'
import type { SupabaseOptions, SupabaseServer } from '../supabase.ts'
import { createContainerServer } from './container-server.ts'
import { images } from './images.ts'
import { startGateway } from './supabase-gateway.ts'

// How a container reaches what is published on the host.
const HOST = { host: 'host.docker.internal', ipAddress: 'host-gateway' } as const
const READY_MS = 300_000

const fromInside = (databaseUrl: string, search = ''): string => {
  const url = new URL(databaseUrl)
  url.hostname = HOST.host
  url.search = search
  return url.toString()
}

const answersOk = async (url: string): Promise<boolean> => (await fetch(url, { signal: AbortSignal.timeout(2000) })).ok

const createAuth = ({ databaseUrl, keys, port }: SupabaseOptions, authPort: number): Server =>
  createContainerServer({
    name: 'supabase-auth',
    describe: () =>
      new GenericContainer(images.auth)
        .withExtraHosts([HOST])
        .withEnvironment({
          GOTRUE_API_HOST: '0.0.0.0',
          GOTRUE_API_PORT: '9999',
          API_EXTERNAL_URL: `http://127.0.0.1:${port}/auth/v1`,
          GOTRUE_SITE_URL: `http://127.0.0.1:${port}`,
          GOTRUE_DB_DRIVER: 'postgres',
          GOTRUE_DB_DATABASE_URL: fromInside(databaseUrl, 'search_path=auth'),
          GOTRUE_JWT_SECRET: keys.jwtSecret,
          GOTRUE_JWT_EXP: '3600',
          GOTRUE_JWT_AUD: 'authenticated',
          GOTRUE_JWT_DEFAULT_GROUP_NAME: 'authenticated',
          GOTRUE_JWT_ADMIN_ROLES: 'service_role',
          GOTRUE_DISABLE_SIGNUP: 'false',
          GOTRUE_EXTERNAL_EMAIL_ENABLED: 'true',
          GOTRUE_MAILER_AUTOCONFIRM: 'true',
        })
        .withExposedPorts({ container: 9999, host: authPort }),
    probe: () => answersOk(`http://127.0.0.1:${authPort}/health`),
    readyTimeoutMs: READY_MS,
  })

const createRest = ({ databaseUrl, keys }: SupabaseOptions, restPort: number): Server =>
  createContainerServer({
    name: 'supabase-rest',
    describe: () =>
      new GenericContainer(images.postgrest)
        .withExtraHosts([HOST])
        .withEnvironment({
          PGRST_DB_URI: fromInside(databaseUrl),
          PGRST_DB_SCHEMAS: 'public',
          PGRST_DB_ANON_ROLE: 'anon',
          PGRST_JWT_SECRET: keys.jwtSecret,
          PGRST_SERVER_PORT: '3000',
        })
        .withExposedPorts({ container: 3000, host: restPort }),
    probe: () => answersOk(`http://127.0.0.1:${restPort}/`),
    readyTimeoutMs: READY_MS,
  })

/** Supabase Auth and PostgREST in containers, behind one address as a project has it. */
export const createDockerSupabase = (options: SupabaseOptions): SupabaseServer => {
  let parts: { servers: readonly Server[]; gateway: Awaited<ReturnType<typeof startGateway>> } | null = null
  const start = async () => {
    if (parts !== null) return
    const ports = await choosePorts({ auth: {}, rest: {} })
    const servers = [createAuth(options, ports.auth), createRest(options, ports.rest)]
    for (const server of servers) await server.start()
    const upstreams = { '/auth/v1': ports.auth, '/rest/v1': ports.rest }
    parts = { servers, gateway: await startGateway({ port: options.port, upstreams, keys: options.keys }) }
    options.hooks?.onReady?.()
  }
  const end = async (how: (server: Server) => Promise<void>) => {
    if (parts === null) return
    const { servers, gateway } = parts
    parts = null
    await gateway.close()
    for (const server of servers.toReversed()) await how(server)
  }
  return {
    name: 'supabase',
    url: `http://127.0.0.1:${options.port}`,
    get pid() {
      return parts?.servers[1]?.pid ?? null
    },
    start,
    stop: () => end((server) => server.stop()),
    kill: (signal) => end((server) => server.kill(signal)),
  }
}
