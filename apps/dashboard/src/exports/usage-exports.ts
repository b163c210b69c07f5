import type { UsageRow } from '../data/reports.ts'

/** What a FOCUS export says beside the rows. */
export interface ExportContext {
  readonly organizationId: string
  readonly organizationName: string
}

// A spreadsheet takes a cell that begins like this for a formula: an apostrophe makes it text.
const FORMULA = /^[=+\-@\t\r]/
const NUMBER = /^-?\d+(\.\d+)?$/

function cell(value: string | null): string {
  if (value === null) return ''
  const safe = FORMULA.test(value) && !NUMBER.test(value) ? `'${value}` : value
  return /[",\n\r]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe
}

/** Rows as CSV (RFC 4180); what is not known is an empty cell, never 0. */
export function toCsv(rows: readonly Readonly<Record<string, string | null>>[]): string {
  const columns = Object.keys(rows[0] ?? {})
  return [columns, ...rows.map((row) => columns.map((column) => row[column] ?? null))]
    .map((line) => `${line.map(cell).join(',')}\r\n`)
    .join('')
}

/** Rows as JSON; counts and money stay text, so that no digit is lost. */
export const toJson = (rows: readonly object[]): string => `${JSON.stringify(rows, null, 2)}\n`

/**
 * Rows in the columns of FOCUS 1.2 (FinOps Open Cost and Usage Specification): LLM tokens are the consumed quantity, the
 * model is the SKU; columns of our own begin with `x_`.
 */
export function toFocus(rows: readonly UsageRow[], context: ExportContext): Record<string, string | null>[] {
  return rows.map((row) => {
    const start = row.bucket === null ? null : startOf(row.bucket)
    return {
      BillingAccountId: context.organizationId,
      BillingAccountName: context.organizationName,
      BillingCurrency: 'USD',
      ChargeCategory: 'Usage',
      ChargePeriodStart: start,
      ChargePeriodEnd: row.bucket === null ? null : endOf(row.bucket),
      BilledCost: row.charge_usd,
      EffectiveCost: row.cost_usd,
      ConsumedQuantity: row.tokens_used,
      ConsumedUnit: 'Tokens',
      ServiceCategory: 'AI and Machine Learning',
      ServiceName: 'LLM inference',
      SkuId: row.model,
      x_UserId: row.user_id,
      x_TokenKind: row.token_kind,
      x_MessageCount: row.message_count,
      x_UnpricedEvents: row.unpriced_events,
    }
  })
}

function startOf(bucket: string): string {
  if (bucket.includes('T')) return bucket
  return bucket.length === 7 ? `${bucket}-01T00:00:00Z` : `${bucket}T00:00:00Z`
}

function endOf(bucket: string): string {
  const start = new Date(startOf(bucket))
  if (bucket.length === 7) start.setUTCMonth(start.getUTCMonth() + 1)
  else if (bucket.includes('T')) start.setUTCHours(start.getUTCHours() + 1)
  else start.setUTCDate(start.getUTCDate() + 1)
  return `${start.toISOString().slice(0, 19)}Z`
}
