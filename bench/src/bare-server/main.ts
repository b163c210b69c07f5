// A bare Fastify as a process: the least that an HTTP request can cost here. It answers what it is told to.
import { fastify } from 'fastify'
import { z } from 'zod'

const startMessage = z.object({ postBody: z.unknown(), getBody: z.unknown() })

process.once('message', async (message) => {
  const { postBody, getBody } = startMessage.parse(message)
  const app = fastify()
  const parse = { parseAs: 'string' } as const
  app.addContentTypeParser('application/cloudevents+json', parse, async (_request: unknown, body: string) =>
    JSON.parse(body),
  )
  app.post('/v1/events', async (_request, reply) => reply.code(202).send(postBody))
  app.get('/api/auth/verify', async () => getBody)
  app.get('/v1/forward-auth', async (_request, reply) => reply.send(''))
  process.send?.(await app.listen({ host: '127.0.0.1', port: 0 }))
})
process.once('disconnect', () => process.exit(0))
