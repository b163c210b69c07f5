import { hash } from 'node:crypto'
import type { FastifyReply, FastifyRequest } from 'fastify'

/**
 * Answers with a body and its weak `ETag` (the same figures, whatever the compression), or with 304 when the caller has it
 * already (RFC 9110 13.1.2). Shared caches keep nothing: an answer depends on who asks.
 */
export function sendTagged(request: FastifyRequest, reply: FastifyReply, type: string, body: string): FastifyReply {
  const tag = `W/"${hash('sha256', `${type}\n${body}`, 'base64url').slice(0, 27)}"`
  reply.header('etag', tag).header('cache-control', 'private, no-cache').header('vary', 'accept, authorization, origin')
  if (isKnown(request.headers['if-none-match'], tag)) return reply.code(304).send()
  return reply.type(type).send(body)
}

function isKnown(header: string | undefined, tag: string): boolean {
  if (header === undefined) return false
  const opaque = (one: string): string => one.trim().replace(/^W\//, '')
  return header.trim() === '*' || header.split(',').some((one) => opaque(one) === opaque(tag))
}
