import { z } from 'zod'
import { boundedText, instant, uuid } from './text.ts'

/** Most LLM tokens that one event may report; far above any model's context window. */
export const MAX_EVENT_TOKENS = 1_000_000_000
/** Most messages that one event may report. */
export const MAX_MESSAGES = 1_000_000
/** Most events of one `POST /v1/events`. */
export const MAX_BATCH_EVENTS = 1_000
/** Opening balances of the ledger bear it: what was there before Tollgate is neither reported, imported nor corrected. */
export const RESERVED_SOURCE = 'tollgate'
/** How late and how early an event's `time` may be against its arrival. */
export const MAX_LATE_MS = 35 * 24 * 3_600_000
export const MAX_EARLY_MS = 5 * 60_000

const count = z.number().int().min(0).max(MAX_EVENT_TOKENS)
const identity = boundedText(256)
const sessionId = boundedText(200)
const subCount = count.default(0)

interface Counts {
  input_tokens: number
  output_tokens: number
  cache_read_input_tokens: number
  cache_creation_input_tokens: number
  reasoning_output_tokens: number
}
type Rule = [(data: Counts) => boolean, { message: string; path: string[] }]
const cachedWithinInput: Rule = [
  // A count that is none was told of already.
  (data) =>
    data.input_tokens < 0 || data.cache_read_input_tokens + data.cache_creation_input_tokens <= data.input_tokens,
  { message: 'input_tokens includes the cached ones: the sub-counts exceed it', path: ['input_tokens'] },
]
const reasoningWithinOutput: Rule = [
  (data) => data.output_tokens < 0 || data.reasoning_output_tokens <= data.output_tokens,
  { message: 'output_tokens includes reasoning: the sub-count exceeds it', path: ['output_tokens'] },
]

/**
 * Data of `tollgate.usage.recorded.v1`; counts are LLM tokens of one call, cached input included in `input_tokens`.
 * At the door a provider's own `usage` object may stand in the place of the counts (`normaliseUsage`).
 */
export const usageRecordedData = z
  .object({
    organization_id: uuid,
    user_id: uuid,
    session_id: sessionId,
    message_id: boundedText(200).optional(), // a call outside a message (a title, a summary) has none
    provider: boundedText(64).optional(), // without one the model's maker is assumed
    model: boundedText(200),
    input_tokens: count,
    output_tokens: count,
    cache_read_input_tokens: subCount,
    cache_creation_input_tokens: subCount,
    reasoning_output_tokens: subCount,
    message_count: z.number().int().min(0).max(MAX_MESSAGES).default(1),
    reservation_id: uuid.optional(), // of a call for which LLM tokens were held
  })
  .refine(...cachedWithinInput)
  .refine(...reasoningWithinOutput)

/** Data of `tollgate.usage.corrected.v1`: what the call really was, in absolute counts; all zero voids it. */
export const usageCorrectedData = z
  .object({
    organization_id: uuid,
    corrects: z.object({ source: identity, id: identity }),
    /** The highest one holds, in whatever order they arrive. */
    revision: z.number().int().min(1).max(2_147_483_647),
    input_tokens: count,
    output_tokens: count,
    cache_read_input_tokens: subCount,
    cache_creation_input_tokens: subCount,
    reasoning_output_tokens: subCount,
    message_count: z.number().int().min(0).max(MAX_MESSAGES).optional(), // as in the original; of a voided call none
  })
  .refine(...cachedWithinInput)
  .refine(...reasoningWithinOutput)

const metadataValue = z.union([boundedText(500), z.number(), z.boolean()])

const sessionStartedData = z.object({
  organization_id: uuid,
  user_id: uuid,
  session_id: sessionId,
  model: boundedText(200).optional(), // a session may start before a model is chosen
  metadata: z.record(boundedText(64), metadataValue).optional(), // most sessions have nothing to say
})

const sessionEndedData = z.object({
  organization_id: uuid,
  user_id: uuid,
  session_id: sessionId,
  reason: boundedText(64),
})

const envelope = {
  specversion: z.literal('1.0'),
  source: identity,
  id: identity,
  time: instant.optional(), // defaults to the time of arrival
}

/** The CloudEvents 1.0 that `POST /v1/events` takes, by type. Extension attributes are ignored. */
export const publicEvent = z.discriminatedUnion('type', [
  z.object({ ...envelope, type: z.literal('tollgate.usage.recorded.v1'), data: usageRecordedData }),
  z.object({ ...envelope, type: z.literal('tollgate.usage.corrected.v1'), data: usageCorrectedData }),
  z.object({ ...envelope, type: z.literal('tollgate.session.started.v1'), data: sessionStartedData }),
  z.object({ ...envelope, type: z.literal('tollgate.session.ended.v1'), data: sessionEndedData }),
])
export type PublicEvent = z.infer<typeof publicEvent>

/** Why an event was not taken; a closed set that clients may switch on. */
export const REJECTION_REASONS = [
  'invalid_event',
  'usage_missing',
  'unsupported_type',
  'too_late',
  'too_early',
  'organization_not_allowed',
  'unknown_organization',
  'unknown_user',
  'user_not_in_organization',
  'type_not_allowed',
  'month_sealed',
] as const
export const rejectionReason = z.enum(REJECTION_REASONS)
export type RejectionReason = z.infer<typeof rejectionReason>

const accepted = {
  source: identity,
  id: identity,
  time: z.string(),
  received_at: z.string(),
  /** False when Postgres was away at the door: `ingest_usage` then judges the membership. */
  member: z.boolean(),
}
const login = { organization_id: z.string(), user_id: z.string(), login_session_id: z.string() }

/** An event as it travels in a job: checked, flat, one row of `ingest_usage`. */
export const acceptedEvent = z.discriminatedUnion('type', [
  z.object({ type: z.literal('usage.recorded'), ...accepted, ...usageRecordedData.shape }),
  z.object({ type: z.literal('usage.corrected'), ...accepted, ...usageCorrectedData.shape }),
  z.object({ type: z.literal('session.started'), ...accepted, ...sessionStartedData.shape }),
  z.object({ type: z.literal('session.ended'), ...accepted, ...sessionEndedData.shape }),
  z.object({ type: z.literal('login.started'), ...accepted, ...login, expires_at: z.string() }),
  z.object({ type: z.literal('login.refreshed'), ...accepted, ...login, expires_at: z.string() }),
  z.object({ type: z.literal('login.ended'), ...accepted, ...login, reason: z.string() }),
])
export type AcceptedEvent = z.infer<typeof acceptedEvent>

/**
 * What became of one event after the commit. `conflict` marks a duplicate whose counts, user, session or model
 * differ from what was counted.
 */
export const eventOutcome = z.discriminatedUnion('outcome', [
  z.object({ outcome: z.literal('recorded') }),
  z.object({ outcome: z.literal('duplicate'), conflict: z.boolean() }),
  z.object({ outcome: z.literal('rejected'), reason: rejectionReason }),
])
export type EventOutcome = z.infer<typeof eventOutcome>
