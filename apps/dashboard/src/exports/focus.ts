import type { StatementFigures, StatementRow, UsageRow } from '../data/reports.ts'
import { dayStart } from '../filters/day-start.ts'
import { addDays } from '../filters/days.ts'
import { dayIn } from '../filters/span.ts'
import type { ExportLine } from './tables.ts'

/** Two instants in UTC, the end exclusive. */
interface Stretch {
  readonly start: string
  readonly end: string
}

/** Whose usage it is. */
interface Account {
  readonly id: string
  readonly name: string
}

/** What a FOCUS export of usage says beside the rows. */
export interface FocusContext {
  readonly account: Account
  readonly timeZone: string
  /** The present billing period. */
  readonly period: Stretch
}

/** What a row is charged for. */
interface FocusRow {
  readonly billed: Stretch | null
  readonly charged: Stretch | null
  readonly isCorrection: boolean
  readonly model: string | null
  readonly userId: string | null
  readonly tokenKind: string | null
  readonly figures: Pick<
    StatementFigures,
    'tokens_used' | 'cost_usd' | 'charge_usd' | 'message_count' | 'unpriced_events'
  >
}

/**
 * A row in columns of FOCUS 1.2 (FinOps Open Cost and Usage Specification): LLM tokens are the consumed quantity, the model
 * is the SKU, both costs are what is billed; columns of our own begin with `x_`. What has no price is empty.
 */
function toFocusLine({ id, name }: Account, row: FocusRow): ExportLine {
  const { figures, model } = row
  return {
    BillingAccountId: id,
    BillingAccountName: name,
    BillingCurrency: 'USD',
    BillingPeriodStart: row.billed?.start ?? null,
    BillingPeriodEnd: row.billed?.end ?? null,
    ChargeCategory: 'Usage',
    ChargeClass: row.isCorrection ? 'Correction' : null,
    ChargeDescription: model === null ? 'LLM tokens' : `LLM tokens of ${model}`,
    ChargeFrequency: 'Usage-Based',
    ChargePeriodStart: row.charged?.start ?? null,
    ChargePeriodEnd: row.charged?.end ?? null,
    BilledCost: figures.charge_usd,
    EffectiveCost: figures.charge_usd,
    ConsumedQuantity: figures.tokens_used,
    ConsumedUnit: 'Tokens',
    ServiceCategory: 'AI and Machine Learning',
    ServiceName: 'LLM inference',
    SkuId: model,
    x_ProviderCost: figures.cost_usd,
    x_UserId: row.userId,
    x_TokenKind: row.tokenKind,
    x_MessageCount: figures.message_count,
    x_UnpricedEvents: figures.unpriced_events,
  }
}

/** Rows of a usage report; its buckets are days, hours or months of the organization's time zone. */
export function usageToFocus(rows: readonly UsageRow[], { account, timeZone, period }: FocusContext): ExportLine[] {
  const stretches = new Map<string | null, Stretch | null>()
  return rows.map((row) => {
    const charged = stretches.get(row.bucket) ?? (row.bucket === null ? null : stretchOf(row.bucket, timeZone))
    stretches.set(row.bucket, charged)
    const isPresent = charged !== null && charged.start >= period.start && charged.end <= period.end
    return toFocusLine(account, {
      ...{ billed: isPresent ? period : null, charged, isCorrection: false, figures: row },
      ...{ model: row.model, userId: row.user_id, tokenKind: row.token_kind },
    })
  })
}

/**
 * A statement's lines by model, which add up to its total; what was posted here from closed periods is a correction of
 * those. `lastDayOf` says when such a period ended, by its first day.
 */
export function statementToFocus(row: StatementRow, lastDayOf: ReadonlyMap<string, string>): ExportLine[] {
  const account = { id: row.organization_id, name: row.name }
  const days = (first: string, last: string | undefined): Stretch | null =>
    last === undefined
      ? null
      : { start: dayStart(first, row.time_zone), end: dayStart(addDays(last, 1), row.time_zone) }
  const billed = days(row.first_day, row.last_day)
  const line = (charged: Stretch | null, isCorrection: boolean, figures: StatementFigures & { model: string }) =>
    toFocusLine(account, {
      billed,
      charged,
      isCorrection,
      figures,
      model: figures.model,
      userId: null,
      tokenKind: null,
    })
  return [
    ...row.models.map((figures) => line(billed, false, figures)),
    ...row.earlier.map((figures) => {
      const first = dayIn(figures.period_start, row.time_zone)
      return line(days(first, lastDayOf.get(first)), true, figures)
    }),
  ]
}

function stretchOf(bucket: string, timeZone: string): Stretch {
  if (bucket.includes('T')) {
    const end = new Date(Date.parse(bucket) + 3_600_000).toISOString()
    return { start: bucket, end: `${end.slice(0, 19)}Z` }
  }
  const first = bucket.length === 7 ? `${bucket}-01` : bucket
  // The first of a month and 31 days lie in the next one.
  const next = bucket.length === 7 ? `${addDays(first, 31).slice(0, 7)}-01` : addDays(first, 1)
  return { start: dayStart(first, timeZone), end: dayStart(next, timeZone) }
}
