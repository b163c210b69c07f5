import { type AcceptedEvent, MAX_EVENT_TOKENS, MAX_MESSAGES } from './events.ts'
import { usageEventsJob } from './queues.ts'

/**
 * Accepted events on their way from the API to Postgres: JSON that is written once, and goes as it is from Redis to
 * Postgres, which refuses what it cannot record.
 */
export interface UsageEventsText {
  readonly count: number
  /** When the oldest of them arrived. */
  readonly receivedAt: string
  /** The events' JSON, one after the other with commas between. */
  readonly text: string
}

/** Whether these are events that have been written. */
export function isEventsText(value: unknown): value is UsageEventsText {
  return typeof value === 'object' && value !== null && 'count' in value && 'receivedAt' in value && 'text' in value
}

/** Reads a job with its schema. For those that `readUsageJob` leaves. */
export const usageEventsFromJob = usageEventsJob.transform(({ events }) => writeEvents(events))

const HEAD = /^\{"v":1,"received_at":"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z)","events":\[/
const TAIL = ']}'

// No raw control characters, as in all JSON: Postgres could not even keep a NUL as a dead letter.
const PLAIN = '[^"\\\\\\u0000-\\u001f]*'
const TEXT = `"(?!")${PLAIN}(?:\\\\[^\\u0000-\\u001f]${PLAIN})*"`
const UUID = '"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"'
const TIME = '"\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{3}Z"'
const COUNT = `(?:0|[1-9]\\d{0,${String(MAX_EVENT_TOKENS).length - 2}}|${MAX_EVENT_TOKENS})`
const MESSAGES = `(?:0|[1-9]\\d{0,${String(MAX_MESSAGES).length - 2}}|${MAX_MESSAGES})`
const ROW: readonly [name: string, pattern: string, optional?: true][] = [
  ['type', '"usage\\.recorded"'],
  ['source', TEXT],
  ['id', TEXT],
  ['time', TIME],
  ['received_at', TIME],
  ['member', '(?:true|false)'],
  ['organization_id', UUID],
  ['user_id', UUID],
  ['session_id', TEXT],
  ['message_id', TEXT, true],
  ['provider', TEXT, true],
  ['model', TEXT],
  ['input_tokens', COUNT],
  ['output_tokens', COUNT],
  ['cache_read_input_tokens', COUNT],
  ['cache_creation_input_tokens', COUNT],
  ['reasoning_output_tokens', COUNT],
  ['message_count', MESSAGES],
  ['reservation_id', UUID, true],
]
/** Usage as `toAcceptedEvent` writes it, and the comma before the next. */
const NEXT_ROW = new RegExp(
  `\\{${ROW.map(([name, pattern, optional], at) => {
    const field = `${at === 0 ? '' : ','}"${name}":${pattern}`
    return optional ? `(?:${field})?` : field
  }).join('')}\\}(?:,(?=\\{)|$)`,
  'y',
)

/** Writes events; not none. */
export function writeEvents(events: readonly AcceptedEvent[]): UsageEventsText {
  const receivedAt = earliest(events.map(({ received_at }) => received_at))
  return { count: events.length, receivedAt, text: JSON.stringify(events).slice(1, -1) }
}

/** The events themselves. @throws SyntaxError for a text that is no JSON */
export function listEvents({ text }: Pick<UsageEventsText, 'text'>): AcceptedEvent[] {
  return JSON.parse(`[${text}]`)
}

/** One after the other. */
export function joinEvents(parts: readonly UsageEventsText[]): UsageEventsText {
  const count = parts.reduce((sum, part) => sum + part.count, 0)
  const receivedAt = earliest(parts.map((part) => part.receivedAt))
  return { count, receivedAt, text: parts.map(({ text }) => text).join(',') }
}

/** The JSON of a job as `usageEventsJob` describes it, and with it what the worker would have to read the events for. */
export function writeUsageJob({ receivedAt, text }: UsageEventsText): string {
  return `{"v":1,"received_at":${JSON.stringify(receivedAt)},"events":[${text}${TAIL}`
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
  return count === undefined ? undefined : { count, receivedAt, text }
}

function countRows(text: string): number | undefined {
  let count = 0
  for (NEXT_ROW.lastIndex = 0; NEXT_ROW.lastIndex < text.length; count++) if (!NEXT_ROW.test(text)) return undefined
  return count > 0 ? count : undefined
}

// All of one form, so that their order is that of their text.
function earliest(times: readonly string[]): string {
  let [oldest = ''] = times
  for (const time of times) if (time < oldest) oldest = time
  return oldest
}
