import { ROLES } from '../access/roles.ts'

// Asked for each request of somebody else's: they answer from memory, and a limit there would be a limit of the chat.
const UNLIMITED = new Set([
  '/api/auth/verify',
  '/v1/forward-auth',
  '/v1/forward-auth/page',
  '/livez',
  '/readyz',
  '/metrics',
])

const ORDERS = new Set(['/v1/organizations/:id/enforcement', '/v1/organizations/:id/users/:user/enforcement'])

/** Whether requests of a route are not counted. */
export function isUnlimitedRoute(url: string | undefined): boolean {
  return url !== undefined && UNLIMITED.has(url)
}

/**
 * Whether a write happens once per `Idempotency-Key`: those that would otherwise happen again with each repetition.
 * Events have ids of their own, a hold remembers the key that it was made with, and what OAuth asks for can be asked again.
 */
export function takesIdempotencyKey(method: string, url: string | undefined): boolean {
  if (method !== 'POST' || url === undefined || url.startsWith('/oauth/')) return false
  if (url === '/v1/events' || url.startsWith('/v1/reservations')) return false
  const rights = ROLES[nameOf(method, url)]
  return rights !== undefined && (rights.scope !== undefined || rights.credential === 'supabase')
}

/** Whether an answer only says how far an act has come, so that a repetition goes on waiting for it. */
export function isInterim(status: number, url: string | undefined): boolean {
  return status === 202 && url !== undefined && ORDERS.has(url)
}

/** A route as the table of rights and the documentation name it. */
function nameOf(method: string, url: string): string {
  return `${method} ${url.replaceAll(/:(\w+)/g, '{$1}')}`
}
