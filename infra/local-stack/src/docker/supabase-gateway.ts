import { createHmac } from 'node:crypto'
import { once } from 'node:events'
import http from 'node:http'
import type { SupabaseKeys } from '../supabase.ts'

/** What stands behind the gateway. */
export type GatewayOptions = {
  port: number
  /** Local port by path prefix; the prefix is taken off. */
  upstreams: Readonly<Record<string, number>>
  keys: SupabaseKeys
}

const base64url = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')

/** A token of a database role, as the gateway of a project makes one of an API key. */
const signRole = (role: string, secret: string): string => {
  const body = `${base64url({ alg: 'HS256', typ: 'JWT' })}.${base64url({ role, iss: 'supabase' })}`
  return `${body}.${createHmac('sha256', secret).update(body).digest('base64url')}`
}

/**
 * One address for PostgREST and Auth. API keys (`sb_publishable_…`, `sb_secret_…`) are opaque: where one stands in the place of a
 * user's token, the role that it stands for is put there; a request without a known key is refused.
 */
export const startGateway = async ({ port, upstreams, keys }: GatewayOptions): Promise<{ close(): Promise<void> }> => {
  const roles: Readonly<Record<string, string>> = {
    [keys.publishableKey]: signRole('anon', keys.jwtSecret),
    [keys.secretKey]: signRole('service_role', keys.jwtSecret),
  }
  const server = http.createServer((request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://gateway')
    const prefix = Object.keys(upstreams).find((known) => pathname.startsWith(`${known}/`))
    const role = roles[String(request.headers.apikey ?? '')]
    if (prefix === undefined || role === undefined) {
      response.writeHead(prefix === undefined ? 404 : 401, { 'content-type': 'application/json' })
      response.end(JSON.stringify({ message: prefix === undefined ? 'no such path' : 'no such API key' }))
      return
    }
    const given = /^bearer (.+)$/i.exec(request.headers.authorization ?? '')?.[1]
    const isUser = given !== undefined && roles[given] === undefined
    const headers = { ...request.headers, authorization: isUser ? `Bearer ${given}` : `Bearer ${role}` }
    const path = (request.url ?? '/').slice(prefix.length)
    const target = { host: '127.0.0.1', port: upstreams[prefix], method: request.method, path, headers }
    const onward = http.request(target, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers)
      answer.pipe(response)
    })
    onward.on('error', () => {
      if (!response.headersSent) response.writeHead(502)
      response.end()
    })
    request.pipe(onward)
  })
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  return {
    close: async () => {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}
