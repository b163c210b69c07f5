import { z } from 'zod'
import { boundedText, instant, moneyText, uuid } from './text.ts'

const DAY_MS = 86_400_000
const MAX_DAYS = { hour: 2, day: 800, month: 800, total: 800 } as const
const GROUPS = '(?:model|user|token_kind)'

/** A day of the organization, as far as reports go. */
const day = z.iso.date().refine((value) => value >= '2000-01-01' && value < '2200-01-01', 'must lie in 2000 to 2199')

/** How many rows of one answer, and where the page before ended: hand `next` of an answer back as `after`. */
const page = { limit: z.coerce.number().int().min(1).max(1_000).default(200), after: boundedText(2_000).optional() }

const spanOf = ({ start, end }: { start: string; end: string }): number =>
  (Date.parse(end) - Date.parse(start)) / DAY_MS

/** Query of `GET /v1/organizations/{id}/usage`; `start` inclusive, `end` exclusive, days of the organization. */
export const usageQuery = z
  .strictObject({
    start: day,
    end: day,
    bucket: z.enum(['hour', 'day', 'month', 'total']).default('day'),
    // Absent: not grouped.
    group_by: z
      .string()
      .regex(new RegExp(`^${GROUPS}(?:,${GROUPS}){0,2}$`))
      .optional(),
    user_id: uuid.optional(), // absent: everybody whom the caller may see
    model: boundedText(200).optional(), // absent: every model
    format: z.enum(['json', 'csv']).optional(), // absent: as `Accept` says
    ...page,
  })
  .refine((query) => spanOf(query) > 0 && spanOf(query) <= MAX_DAYS[query.bucket], {
    path: ['end'],
    message: 'must lie 1 to 800 days after start, for hours 1 or 2',
  })

/** Query of `GET /v1/organizations/{id}/sessions`: chat sessions by the day of their start. */
export const chatSessionsQuery = z
  .strictObject({
    start: day,
    end: day,
    user_id: uuid.optional(), // absent: everybody whom the caller may see
    status: z.enum(['active', 'idle', 'ended']).optional(), // absent: all
    open_at: instant.optional(), // absent: now
    ...page,
    limit: z.coerce.number().int().min(1).max(500).default(50),
  })
  .refine((query) => spanOf(query) > 0 && spanOf(query) <= MAX_DAYS.day, {
    path: ['end'],
    message: 'must lie 1 to 800 days after start',
  })

const count = z.number().int()

/** A row of a usage report. `bucket` is null for the total, a group's columns where it is not grouped by. */
export const usageReportRow = z.object({
  bucket: z.string().nullable(),
  model: z.string().nullable(),
  user_id: z.string().nullable(),
  user_name: z.string().nullable(),
  token_kind: z.string().nullable(),
  tokens_used: count,
  // Null where the report does not know them.
  input_tokens: count.nullable(),
  output_tokens: count.nullable(),
  cache_read_input_tokens: count.nullable(),
  cache_creation_input_tokens: count.nullable(),
  reasoning_output_tokens: count.nullable(),
  // Null where nothing of the row has a price, and for a kind of LLM token.
  cost_usd: moneyText.nullable(),
  charge_usd: moneyText.nullable(),
  message_count: count,
  unpriced_events: count,
})

/** Answer of `GET /v1/organizations/{id}/usage`; `next` is null on the last page. */
export const usageReport = z.object({ rows: z.array(usageReportRow), next: z.string().nullable() })

/** A chat session with what it used; `cost_usd` is null where nothing of it has a price. */
export const chatSessionReport = z.object({
  librechat_session_id: z.string(),
  user_id: z.string(),
  user_name: z.string().nullable(),
  model_used: z.string().nullable(),
  status: z.string(),
  started_at: z.string(),
  last_activity_at: z.string(),
  ended_at: z.string().nullable(),
  end_reason: z.string().nullable(),
  message_count: count,
  tokens_used: count,
  cost_usd: moneyText.nullable(),
  unpriced_events: count,
})

/**
 * Answer of `GET /v1/organizations/{id}/sessions`, newest first; `next` is null on the last page. `open_sessions`: how many
 * the caller may see, of any start, were open at a time at `open_at`.
 */
export const chatSessionsReport = z.object({
  sessions: z.array(chatSessionReport),
  next: z.string().nullable(),
  open_sessions: count,
})
