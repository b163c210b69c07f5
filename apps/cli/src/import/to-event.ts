import { boundedText, instant, RESERVED_SOURCE, usageRecordedData } from '@tollgate/shared/contracts'

/** A row of a file: by column name (CSV) or as it was parsed (NDJSON). */
export type SourceRow = Readonly<Record<string, unknown>>

/** How the rows of a file become usage events. */
export interface RowMapping {
  /** Field of a usage event → column, or path into a nested row such as `usage.input_tokens`. */
  readonly columns: ReadonlyMap<string, string>
  /** Field → what it is in every row. */
  readonly constants: ReadonlyMap<string, string>
  /** Source of rows that name none. */
  readonly source: string
  /** Whether users are taken who do not belong to their organization, or no longer. */
  readonly formerUsers: boolean
}

/** A row that is a usage event, or what is wrong with it. */
export type RowResult = { readonly event: Record<string, unknown> } | { readonly fault: string }

const COUNTS = [
  'input_tokens',
  'output_tokens',
  'cache_read_input_tokens',
  'cache_creation_input_tokens',
  'reasoning_output_tokens',
  'message_count',
]
const TEXTS = ['organization_id', 'user_id', 'session_id', 'message_id', 'provider', 'model']

/** The fields that `--map` and `--set` may speak of. */
export const IMPORT_FIELDS: readonly string[] = ['id', 'source', 'time', ...TEXTS, ...COUNTS]

const identity = boundedText(256)

/**
 * Makes an event of a row. Without an id it is known by its number in the file (from 1), so that the same file may be
 * imported again. A time is RFC 3339, or seconds or milliseconds since 1970. A CloudEvent is taken as it is.
 */
export function toEvent(row: SourceRow, number: number, mapping: RowMapping, receivedAt: string): RowResult {
  const read = (field: string): unknown => mapping.constants.get(field) ?? dig(row, mapping.columns.get(field) ?? field)
  const data = usageRecordedData.safeParse({
    ...Object.fromEntries(TEXTS.map((field) => [field, toText(read(field))])),
    ...Object.fromEntries(COUNTS.map((field) => [field, toNumber(read(field))])),
  })
  if (!data.success) {
    const [issue] = data.error.issues
    return { fault: `${issue?.path.join('.') || 'row'}: ${issue?.message ?? 'not readable'}` }
  }
  const time = instant.safeParse(toTime(read('time')))
  if (!time.success) return { fault: 'time: RFC 3339, or seconds or milliseconds since 1970, is needed' }
  const id = identity.safeParse(toText(read('id')) ?? String(number))
  const source = identity.safeParse(toText(read('source')) ?? mapping.source)
  if (!id.success || !source.success) return { fault: 'id, source: at most 256 characters are possible' }
  if (source.data === RESERVED_SOURCE) return { fault: `source: ${RESERVED_SOURCE} is reserved` }
  const envelope = {
    source: source.data,
    id: id.data,
    time: time.data,
    received_at: receivedAt,
    member: mapping.formerUsers,
  }
  return { event: { type: 'usage.recorded', ...envelope, ...data.data } }
}

/** A value by its name, by its path, or, in a CloudEvent, in its `data`. */
function dig(row: SourceRow, path: string): unknown {
  if (Object.hasOwn(row, path)) return row[path]
  const found = path.split('.').reduce<unknown>(step, row)
  return found ?? (typeof row.specversion === 'string' ? step(row.data, path) : undefined)
}

function step(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, key) ? Reflect.get(value, key) : undefined
}

function toText(value: unknown): string | undefined {
  if (value === undefined || value === null || value === '') return undefined
  return typeof value === 'string' ? value : String(value)
}

// A text that is no whole number stays one, so that the schema says what is wrong with it.
function toNumber(value: unknown): unknown {
  if (value === undefined || value === null || value === '') return undefined
  return typeof value === 'string' && /^\d{1,15}$/.test(value) ? Number(value) : value
}

const MS_FROM = 100_000_000_000 // as seconds this would be the year 5138

function toTime(value: unknown): unknown {
  const text = toText(value)
  if (text === undefined) return undefined
  if (/^\d{9,14}(\.\d{1,9})?$/.test(text)) {
    const epoch = Number(text)
    return new Date(epoch < MS_FROM ? epoch * 1_000 : epoch).toISOString()
  }
  // As Postgres prints a time: 2026-11-23 10:00:00+00
  return text.replace(/^(\d{4}-\d\d-\d\d) /, '$1T').replace(/([+-]\d\d)$/, '$1:00')
}
