import type { z } from 'zod'
import { MAX_EVENT_TOKENS, MAX_MESSAGES, type PublicEvent, type usageRecordedData } from './events.ts'
import { isCount, isObject, isText, isUuid, type Unchecked } from './quick-looks.ts'

type PublicUsage = Extract<PublicEvent, { type: 'tollgate.usage.recorded.v1' }>
type UsageData = z.output<typeof usageRecordedData>
type UsageInput = z.input<typeof usageRecordedData>

const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/
// Days that every month has, and no hour 24: nothing that is read as another moment.
const IN_EVERY_MONTH = /^.{8}(?:[01]\d|2[0-8])T(?!24)/

/**
 * The usage event that parsed JSON is, when it is written as almost all are: ids in lower case, time in UTC with
 * milliseconds. Undefined says nothing about the event: `publicEvent` decides then, and explains. It takes nothing
 * that `publicEvent` refuses and gives the same, in a tenth of the time; each event passes here.
 */
export function readCanonicalUsage(value: unknown): PublicUsage | undefined {
  if (!isObject<PublicUsage>(value) || !isObject<UsageInput>(value.data)) return undefined
  const { specversion, type, source, id, time } = value
  const isEnvelope = specversion === '1.0' && type === 'tollgate.usage.recorded.v1'
  if (!isEnvelope || !isText(source, 256) || !isText(id, 256)) return undefined
  if (time !== undefined && !isTime(time)) return undefined
  // A provider's own object in the place of counts, or beside them.
  if (Object.hasOwn(value.data, 'usage') || !isUsageData(value.data)) return undefined
  const event: PublicUsage = { specversion, source, id, type, data: fillDefaults(value.data) }
  if (time !== undefined) event.time = time
  return event
}

function isUsageData(data: Unchecked<UsageInput>): data is UsageInput {
  return isCall(data) && isCounted(data)
}

function isCall(data: Unchecked<UsageInput>): boolean {
  const { message_id, provider, reservation_id } = data
  return (
    isUuid(data.organization_id) &&
    isUuid(data.user_id) &&
    isText(data.session_id, 200) &&
    isText(data.model, 200) &&
    (message_id === undefined || isText(message_id, 200)) &&
    (provider === undefined || isText(provider, 64)) &&
    (reservation_id === undefined || isUuid(reservation_id))
  )
}

function isCounted(data: Unchecked<UsageInput>): boolean {
  const { input_tokens, output_tokens, message_count = 1 } = data
  const { cache_read_input_tokens = 0, cache_creation_input_tokens = 0, reasoning_output_tokens = 0 } = data
  return (
    isTokens(input_tokens) &&
    isTokens(output_tokens) &&
    isCount(message_count, 0, MAX_MESSAGES) &&
    isTokens(cache_read_input_tokens) &&
    isTokens(cache_creation_input_tokens) &&
    isTokens(reasoning_output_tokens) &&
    cache_read_input_tokens + cache_creation_input_tokens <= input_tokens &&
    reasoning_output_tokens <= output_tokens
  )
}

const isTokens = (value: unknown): value is number => isCount(value, 0, MAX_EVENT_TOKENS)

function fillDefaults(data: UsageInput): UsageData {
  const { message_id, provider, reservation_id } = data
  const filled: UsageData = {
    organization_id: data.organization_id,
    user_id: data.user_id,
    session_id: data.session_id,
    model: data.model,
    input_tokens: data.input_tokens,
    output_tokens: data.output_tokens,
    cache_read_input_tokens: data.cache_read_input_tokens ?? 0,
    cache_creation_input_tokens: data.cache_creation_input_tokens ?? 0,
    reasoning_output_tokens: data.reasoning_output_tokens ?? 0,
    message_count: data.message_count ?? 1,
  }
  // One by one: spreading them would take longer than all the rest.
  if (message_id !== undefined) filled.message_id = message_id
  if (provider !== undefined) filled.provider = provider
  if (reservation_id !== undefined) filled.reservation_id = reservation_id
  return filled
}

/** Of this form and a moment that exists: the 30th of February is read as another, and comes back as that. */
function isTime(value: unknown): value is string {
  if (typeof value !== 'string' || !TIME.test(value)) return false
  return IN_EVERY_MONTH.test(value) ? !Number.isNaN(Date.parse(value)) : new Date(value).toJSON() === value
}
