import swagger from '@fastify/swagger'
import swaggerUi from '@fastify/swagger-ui'
import { jsonSchemaTransform } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { isUnlimitedRoute, takesIdempotencyKey } from '../manners/route-manners.ts'
import { type App, problems } from '../routes/typed-app.ts'

const DESCRIPTION = `People show their Supabase access token or the LibreChat access token that was made of it, servers a key
(\`tg_…\`), both as \`Authorization: Bearer\`. Refusals are problem+json (RFC 9457).`

// Scripts and styles of this host alone, and nothing inline: the page works without the internet.
const PAGE_POLICY = {
  'default-src': "'self'",
  'img-src': "'self' data:",
  'style-src': "'self' 'unsafe-inline'",
  'script-src': "'self'",
  'object-src': "'none'",
  'base-uri': "'none'",
  'form-action': "'none'",
  'frame-ancestors': "'none'",
}

/**
 * `/openapi.json`, made from the routes' zod schemas, and a page to read it at `/docs`. Must be called before the routes
 * are added.
 */
export function documentRoutes(app: App): void {
  app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Tollgate token API',
        version: '0.1.0',
        description: DESCRIPTION,
        license: { name: 'MIT', identifier: 'MIT' },
      },
      components: { securitySchemes: { bearer: { type: 'http', scheme: 'bearer' } } },
    },
    transform: (route) => jsonSchemaTransform({ ...route, schema: withManners(route) }),
  })
  app.register(async (scope) => {
    scope.get('/openapi.json', { schema: { hide: true } }, async () => app.swagger())
  })
  app.register(swaggerUi, { routePrefix: '/docs', staticCSP: PAGE_POLICY, uiConfig: { validatorUrl: null } })
}

type Route = Parameters<typeof jsonSchemaTransform>[0]

const idempotencyKey = z.object({
  'idempotency-key': z
    .string()
    .min(1)
    .max(255)
    .optional() // without one a repetition is another request
    .describe('Repeated by the same caller within a day, the same request gets the same answer and does nothing.'),
})

// The operations routes have no schema of their own: text for Prometheus, or a small object.
const operations = {
  description: 'State of the service',
  content: { 'application/json': { schema: z.looseObject({}) }, 'text/plain': { schema: z.string() } },
}

/** What holds for many routes and is done outside of them: it is documented here, and not in each. */
function withManners({ schema, url, route }: Route): Route['schema'] {
  const method = String(route.method)
  const isOnce = takesIdempotencyKey(method, url)
  const documented = typeof schema?.response === 'object' ? schema.response : { 200: operations, 503: operations }
  return {
    ...schema,
    ...(isOnce ? { headers: idempotencyKey } : {}),
    response: {
      ...(isUnlimitedRoute(url) ? {} : problems(429)),
      // A body may be sent, and be none, wherever one could be read.
      ...(method === 'GET' ? {} : problems(400, 413, 415)),
      ...(isOnce ? problems(409, 422) : {}),
      ...documented,
    },
  }
}
