import { createHash } from 'node:crypto'
import { joinEvents, writeEvents } from '@tollgate/shared/contracts'
import fc from 'fast-check'

/** The organizations, users and models that generated events speak of. */
export const ORGANIZATIONS = ['00000000-0000-4000-8000-000000000001', '00000000-0000-4000-8000-000000000002'] as const
const USERS = ['00000000-0000-4000-8000-0000000000a1', '00000000-0000-4000-8000-0000000000a2'] as const
const MODELS = ['gpt-4o', 'gpt-4o-mini', 'model-without-a-price'] as const

/** LLM tokens of a call. */
interface Counts {
  input_tokens: number
  output_tokens: number
  cache_read_input_tokens: number
  cache_creation_input_tokens: number
  reasoning_output_tokens: number
}

/** A usage event as `ingest_usage` takes it. */
export interface UsageEvent extends Counts {
  type: 'usage.recorded'
  organization_id: string
  source: string
  id: string
  time: string
  received_at: string
  member: boolean
  user_id: string
  session_id: string
  model: string
  message_count: number
}

/** How usage is written: as rows, as objects, or every other event as either. */
export const FORMS = ['rows', 'objects', 'both'] as const

/** The argument of `ingest_usage`, as the worker writes it. With `both` the rows, every other event, come first. */
export function batchOf(events: readonly UsageEvent[], form: (typeof FORMS)[number]): string {
  if (form === 'objects') return JSON.stringify({ events })
  if (form === 'rows') return joinEvents([writeEvents(events)]).json
  const [rows, objects] = [events.filter((_, at) => at % 2 === 0), events.filter((_, at) => at % 2 === 1)]
  return JSON.stringify({ ...JSON.parse(batchOf(rows, 'rows')), events: objects })
}

/** A correction as `ingest_usage` takes it. */
export interface Correction extends Counts {
  type: 'usage.corrected'
  organization_id: string
  source: string
  id: string
  time: string
  received_at: string
  member: boolean
  corrects: { source: string; id: string }
  revision: number
  /** Left out: as the original says. */
  message_count?: number
}

const DAY_MS = 86_400_000

const pick = <T>(choices: readonly [T, ...T[]], by: number): T => choices[by % choices.length] ?? choices[0]

function randomOf(seed: string): (index: number) => number {
  const bytes = createHash('sha256').update(seed).digest()
  return (index) => bytes.readUInt16LE(index * 2)
}

function countsOf(at: (index: number) => number): Counts {
  const cacheRead = at(0) % 50
  const reasoning = at(1) % 20
  return {
    input_tokens: cacheRead + (at(8) % 5_000),
    output_tokens: reasoning + (at(9) % 2_000),
    cache_read_input_tokens: cacheRead,
    cache_creation_input_tokens: 0,
    reasoning_output_tokens: reasoning,
  }
}

/**
 * What an identity says is fixed by the identity, so that duplicates agree; `now` bounds the times.
 * Times reach back almost 35 days, as late as an event may be: over at least one month border.
 */
export function eventOf(key: number, now: number): UsageEvent {
  const at = randomOf(String(key))
  return {
    type: 'usage.recorded',
    organization_id: pick(ORGANIZATIONS, at(2)),
    source: 'property',
    id: `event-${key}`,
    time: new Date(now - (at(3) % 34) * DAY_MS - at(4) * 1_000).toISOString(),
    received_at: new Date(now).toISOString(),
    member: true,
    user_id: pick(USERS, at(5)),
    session_id: `session-${at(6) % 5}`,
    model: pick(MODELS, at(7)),
    ...countsOf(at),
    message_count: at(10) % 3,
  }
}

const VOID: Counts = {
  input_tokens: 0,
  output_tokens: 0,
  cache_read_input_tokens: 0,
  cache_creation_input_tokens: 0,
  reasoning_output_tokens: 0,
}

/** A correction of the event; likewise fixed by key and revision. Every fourth one is a void. */
export function correctionOf(key: number, revision: number, now: number): Correction {
  const original = eventOf(key, now)
  const at = randomOf(`${key}/${revision}`)
  return {
    type: 'usage.corrected',
    organization_id: original.organization_id,
    source: 'property',
    id: `correction-${key}-${revision}`,
    time: new Date(now).toISOString(),
    received_at: new Date(now).toISOString(),
    member: true,
    corrects: { source: original.source, id: original.id },
    revision,
    ...(at(11) % 4 === 0 ? VOID : countsOf(at)),
    ...(at(12) % 2 === 0 ? { message_count: at(11) % 4 === 0 ? 0 : at(10) % 3 } : {}),
  }
}

/** One delivery: an event (revision 0) or a correction of it. */
export type Delivery = readonly [key: number, revision: number]

const cutInto = (items: readonly Delivery[], sizes: readonly number[]): Delivery[][] => {
  const batches: Delivery[][] = []
  for (let from = 0, turn = 0; from < items.length; turn++) {
    const size = sizes[turn % sizes.length] ?? 1
    batches.push(items.slice(from, from + size))
    from += size
  }
  return batches
}

const batchesOf = (revision: fc.Arbitrary<number>) =>
  fc
    .tuple(
      fc.array(fc.tuple(fc.integer({ min: 0, max: 60 }), revision), { minLength: 1, maxLength: 120 }),
      fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 30 }),
    )
    .map(([items, sizes]) => cutInto(items, sizes))

/** Deliveries of usage: identities with repeats in any order, cut into batches of any size. */
export const deliveries = batchesOf(fc.constant(0))
/** The same, interleaved with corrections in any order: also twice, before their original, or without one. */
export const correctedDeliveries = batchesOf(fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 3 })))
