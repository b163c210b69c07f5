import { z } from 'zod'
import { BenchError } from '../bench-error.ts'
import type { HttpAnswer } from './http-connection.ts'
import { formatRequest } from './http-request.ts'
import type { UsageEvent } from './make-events.ts'

/** A ready-made `POST /v1/events`. */
export interface UsageRequest {
  readonly bytes: Buffer
  readonly events: number
}

const accepted = z.object({ accepted: z.number(), rejected: z.array(z.unknown()) })

/** A request with one event, in structured mode. */
export function singleRequest(event: UsageEvent, token: string): UsageRequest {
  const body = { type: 'application/cloudevents+json', text: JSON.stringify(event) }
  return { bytes: formatRequest({ method: 'POST', path: '/v1/events', token, body }), events: 1 }
}

/** A request with several events, in batched mode. */
export function batchRequest(events: readonly UsageEvent[], token: string): UsageRequest {
  const body = { type: 'application/cloudevents-batch+json', text: JSON.stringify(events) }
  return { bytes: formatRequest({ method: 'POST', path: '/v1/events', token, body }), events: events.length }
}

/** Makes sure that every event of a request was accepted. @throws BenchError */
export function requireAccepted({ events }: UsageRequest, { status, body }: HttpAnswer): void {
  const answer = status === 202 ? accepted.parse(JSON.parse(body)) : undefined
  if (answer?.accepted === events && answer.rejected.length === 0) return
  throw new BenchError(`POST /v1/events did not take ${events} events: ${status} ${body.slice(0, 500)}`)
}
