import {
  MAX_BATCH_EVENTS,
  MAX_EARLY_MS,
  MAX_LATE_MS,
  ProblemError,
  type PublicEvent,
  publicEvent,
  RESERVED_SOURCE,
  type RejectionReason,
  readCanonicalUsage,
} from '@tollgate/shared/contracts'
import type { z } from 'zod'
import { fillCounts } from './fill-counts.ts'

/** An event of the request that was not taken. */
export interface Rejection {
  readonly index: number
  /** Null where the event has none that could be read. */
  readonly id: string | null
  readonly reason: RejectionReason
  readonly detail?: string
}

/** An event of the request that was understood. */
export interface ParsedEvent {
  readonly index: number
  readonly event: PublicEvent
  /** The event's time, or that of its arrival; UTC with milliseconds. */
  readonly time: string
}

/** The events of a request, each on one of the two lists. */
export interface ParsedBatch {
  /** When the request arrived, epoch ms: what the events' times were judged against. */
  readonly receivedAtMs: number
  readonly events: ParsedEvent[]
  readonly rejected: Rejection[]
}

const KNOWN_TYPES: ReadonlySet<unknown> = new Set(publicEvent.options.map((option) => option.shape.type.value))
const MAX_DETAIL = 300
const MAX_ID = 256

/**
 * Takes the body of `POST /v1/events` apart: an object is one event, an array a batch (CloudEvents 1.0 JSON format,
 * structured and batched mode). A bad event never fails its neighbours.
 * @throws ProblemError `bad-request` for a body that is neither, `payload-too-large` for more than 1,000 events
 */
export function parseEvents(body: unknown, contentType: string, nowMs: number): ParsedBatch {
  const list = toList(body, contentType)
  if (list.length > MAX_BATCH_EVENTS) {
    throw new ProblemError('payload-too-large', `A request takes at most ${MAX_BATCH_EVENTS} events.`)
  }
  const batch: ParsedBatch = { receivedAtMs: nowMs, events: [], rejected: [] }
  for (const [index, item] of list.entries()) {
    const parsed = parseEvent(item, index, nowMs)
    if ('event' in parsed) batch.events.push(parsed)
    else batch.rejected.push(parsed)
  }
  return batch
}

function toList(body: unknown, contentType: string): unknown[] {
  const isBatch = Array.isArray(body)
  const isOne = typeof body === 'object' && body !== null && !isBatch
  if (!isBatch && !isOne) throw new ProblemError('bad-request', 'The body must be an event or an array of events.')
  if (isOne && contentType.startsWith('application/cloudevents-batch+json')) {
    throw new ProblemError('bad-request', 'A body of application/cloudevents-batch+json is an array of events.')
  }
  if (isBatch && contentType.startsWith('application/cloudevents+json')) {
    throw new ProblemError('bad-request', 'A body of application/cloudevents+json is one event.')
  }
  return isBatch ? body : [body]
}

function parseEvent(item: unknown, index: number, nowMs: number): ParsedEvent | Rejection {
  const canonical = readCanonicalUsage(item)
  if (canonical !== undefined) return judgeTime(canonical, index, nowMs)
  const rejection = (reason: RejectionReason, detail: string) => reject(item, index, reason, detail)
  const type = property(item, 'type')
  if (typeof type === 'string' && !KNOWN_TYPES.has(type)) {
    return rejection('unsupported_type', `the supported types are ${[...KNOWN_TYPES].join(', ')}`)
  }
  const filled = fillCounts(item)
  if ('reason' in filled) return rejection(filled.reason, filled.detail)
  const parsed = publicEvent.safeParse(filled.item)
  if (!parsed.success) return rejection('invalid_event', describe(parsed.error))
  return judgeTime(parsed.data, index, nowMs)
}

function judgeTime(event: PublicEvent, index: number, nowMs: number): ParsedEvent | Rejection {
  const rejection = (reason: RejectionReason, detail: string) => reject(event, index, reason, detail)
  if (speaksOfOpeningBalance(event)) return rejection('invalid_event', `source: ${RESERVED_SOURCE} is reserved`)
  const timeMs = event.time === undefined ? nowMs : Date.parse(event.time)
  // What a correction may reach back to is its original's matter.
  const isLate = nowMs - timeMs > MAX_LATE_MS && event.type !== 'tollgate.usage.corrected.v1'
  if (isLate) return rejection('too_late', 'time lies more than 35 days in the past')
  if (timeMs - nowMs > MAX_EARLY_MS) return rejection('too_early', 'time lies more than 5 minutes in the future')
  return { index, event, time: event.time ?? new Date(nowMs).toISOString() }
}

function reject(item: unknown, index: number, reason: RejectionReason, detail: string): Rejection {
  return { index, id: idOf(item), reason, detail }
}

function speaksOfOpeningBalance(event: PublicEvent): boolean {
  if (event.type === 'tollgate.usage.corrected.v1') return event.data.corrects.source === RESERVED_SOURCE
  return event.type === 'tollgate.usage.recorded.v1' && event.source === RESERVED_SOURCE
}

function describe(error: z.ZodError): string {
  const lines = error.issues.map(({ path, message }) => `${path.map(String).join('.') || 'event'}: ${message}`)
  return lines.join('; ').slice(0, MAX_DETAIL)
}

/** The id as it was sent, so that a client finds its event again; shortened, since it may be anything. */
function idOf(item: unknown): string | null {
  const id = property(item, 'id')
  return typeof id === 'string' ? id.slice(0, MAX_ID).toWellFormed() : null
}

function property(item: unknown, name: string): unknown {
  return typeof item === 'object' && item !== null ? Reflect.get(item, name) : undefined
}
