import type { AcceptedEvent } from './events.ts'
import { usageEventsJob } from './queues.ts'
import { countRows, listRows, writeRows } from './usage-rows.ts'

/**
 * Accepted events on their way from the API to Postgres: a text that is written once, and goes as it is from Redis to
 * Postgres, which refuses what it cannot record.
 */
export interface UsageEventsText {
  readonly count: number
  /** When the oldest of them arrived. */
  readonly receivedAt: string
  /** Usage alone is written as rows, all else as objects. */
  readonly form: 'rows' | 'objects'
  /** One after the other: rows, as in a JSON string, with `\n` between; or the JSON of objects, with commas. */
  readonly text: string
}

/** Whether these are events that have been written. */
export function isEventsText(value: unknown): value is UsageEventsText {
  return typeof value === 'object' && value !== null && 'count' in value && 'form' in value && 'text' in value
}

/** Reads a job with its schema. For those that `readUsageJob` leaves. */
export const usageEventsFromJob = usageEventsJob.transform(({ events }) => writeEvents(events))

const HEAD = /^\{"v":2,"received_at":"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z)","rows":"/
const TAIL = '"}'

/** Writes events; not none. */
export function writeEvents(events: readonly AcceptedEvent[]): UsageEventsText {
  const rows = writeRows(events)
  if (rows === undefined) return writeObjects(events)
  const receivedAt = earliest(events.map(({ received_at }) => received_at))
  return { count: events.length, receivedAt, form: 'rows', text: rows }
}

/** Writes events as objects, whatever they are; not none. */
export function writeObjects(events: readonly AcceptedEvent[]): UsageEventsText {
  const receivedAt = earliest(events.map(({ received_at }) => received_at))
  return { count: events.length, receivedAt, form: 'objects', text: JSON.stringify(events).slice(1, -1) }
}

/** The events themselves. @throws SyntaxError for a text that is no JSON */
export function listEvents({ form, text }: Pick<UsageEventsText, 'form' | 'text'>): AcceptedEvent[] {
  return form === 'rows' ? listRows(text) : JSON.parse(`[${text}]`)
}

/** Puts events of one form together; not none. */
export function joinTexts(parts: readonly UsageEventsText[]): UsageEventsText {
  const form = parts[0]?.form ?? 'rows'
  if (parts.some((part) => part.form !== form)) throw new TypeError('rows and objects do not stand in one text')
  return { count: countOf(parts), receivedAt: earliestOf(parts), form, text: joinForm(parts, form) }
}

/** A batch for `ingest_usage`. */
export interface UsageBatch {
  readonly count: number
  readonly receivedAt: string
  /** Its JSON. Events that are rows come first in it, whatever the order of the parts. */
  readonly json: string
}

/** Joins events to one batch; not none. */
export function joinEvents(parts: readonly UsageEventsText[]): UsageBatch {
  const rows = joinForm(parts, 'rows')
  const objects = joinForm(parts, 'objects')
  const fields = [...(rows === '' ? [] : [`"rows":"${rows}"`]), ...(objects === '' ? [] : [`"events":[${objects}]`])]
  return { count: countOf(parts), receivedAt: earliestOf(parts), json: `{${fields.join(',')}}` }
}

const BETWEEN = { rows: '\\n', objects: ',' } as const

/**
 * The texts of one form as one; empty where there are none. Put together by `+`, which copies nothing: V8 takes longer to find
 * room for a text of a thousand events than all else that is done with them here, so it is copied once, where it is sent.
 */
function joinForm(parts: readonly UsageEventsText[], form: UsageEventsText['form']): string {
  let joined = ''
  for (const part of parts) if (part.form === form) joined += joined === '' ? part.text : BETWEEN[form] + part.text
  return joined
}

const countOf = (parts: readonly UsageEventsText[]): number => parts.reduce((sum, { count }) => sum + count, 0)

const earliestOf = (parts: readonly UsageEventsText[]): string => earliest(parts.map(({ receivedAt }) => receivedAt))

/** Gives each part of a joined batch what became of its own events. */
export function dealOutcomes<Outcome>(parts: readonly UsageEventsText[], outcomes: readonly Outcome[]): Outcome[][] {
  const next = { rows: 0, objects: 0 }
  for (const { form, count } of parts) if (form === 'rows') next.objects += count
  return parts.map(({ form, count }) => {
    next[form] += count
    return outcomes.slice(next[form] - count, next[form])
  })
}

/** The JSON of a job: of version 2, rows; else as `usageEventsJob` describes it, and with it what the worker would have to read the events for. */
export function writeUsageJob({ receivedAt, form, text }: UsageEventsText): string {
  const head = `"received_at":${JSON.stringify(receivedAt)}`
  return form === 'rows' ? `{"v":2,${head},"rows":"${text}${TAIL}` : `{"v":1,${head},"events":[${text}]}`
}

/**
 * The events of a job of usage alone, as `writeUsageJob` writes it: checked by a pattern, in a fraction of the time that
 * it takes to parse and check them. Undefined says nothing about the job: `usageEventsFromJob` decides then.
 */
export function readUsageJob(job: string): UsageEventsText | undefined {
  const [head, receivedAt] = HEAD.exec(job) ?? []
  if (head === undefined || receivedAt === undefined || !job.endsWith(TAIL)) return undefined
  const text = job.slice(head.length, -TAIL.length)
  const count = countRows(text)
  return count === undefined ? undefined : { count, receivedAt, form: 'rows', text }
}

// All of one form, so that their order is that of their text.
function earliest(times: readonly string[]): string {
  let [oldest = ''] = times
  for (const time of times) if (time < oldest) oldest = time
  return oldest
}
