import type {
  FastifyBaseLogger,
  FastifyInstance,
  FastifySerializerCompiler,
  RawReplyDefaultExpression,
  RawRequestDefaultExpression,
  RawServerDefault,
} from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { z } from 'zod'

/** The Fastify instance as routes get it: schemas are zod's. */
export type App = FastifyInstance<
  RawServerDefault,
  RawRequestDefaultExpression,
  RawReplyDefaultExpression,
  FastifyBaseLogger,
  ZodTypeProvider
>

/** Writes answers as they are. For routes whose every answer is made to its type, where checking it once more would show. */
export const writeAsTyped: FastifySerializerCompiler<unknown> = () => JSON.stringify

/** RFC 9457 problem details, for the documentation. */
const problem = z.looseObject({
  type: z.string(),
  title: z.string(),
  status: z.number().int(),
  detail: z.string().optional(), // the title may say all
  reason: z.string().optional(), // where the code alone does not say enough
})

/** Documents the problems that a route answers, by status. */
export function problems<Status extends number>(...statuses: Status[]) {
  const answer = { description: 'Problem', content: { 'application/problem+json': { schema: problem } } }
  return Object.fromEntries(statuses.map((status) => [status, answer])) as Record<Status, typeof answer>
}

/** `Authorization: Bearer`, for the documentation. */
export const bearer = [{ bearer: [] }]
