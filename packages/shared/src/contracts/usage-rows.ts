import { type AcceptedEvent, MAX_EVENT_TOKENS, MAX_MESSAGES } from './events.ts'

type Usage = Extract<AcceptedEvent, { type: 'usage.recorded' }>

interface Column {
  readonly kind: 'text' | 'boolean' | 'count'
  readonly pattern: string
  readonly isOptional?: true
}

// Of what needs no quotation marks in a composite of Postgres and no backslash in JSON.
const BARE = String.raw`[\w.:@/+~-]+`
// All else stands in quotation marks, with quotation marks and backslashes doubled; JSON then puts a backslash before each.
const PLAIN = String.raw`[^"\\\u0000-\u001f]*`
const QUOTED = String.raw`\\"(?!\\"[,)])${PLAIN}(?:(?:\\"\\"|\\{4})${PLAIN})*\\"`
const TIME = String.raw`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z`

const text: Column = { kind: 'text', pattern: `(?:${BARE}|${QUOTED})` }
const uuid: Column = { kind: 'text', pattern: '[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}' }
const time: Column = { kind: 'text', pattern: TIME }
const upTo = (max: number): Column => ({
  kind: 'count',
  pattern: String.raw`(?:0|[1-9]\d{0,${String(max).length - 2}}|${max})`,
})
const tokens = upTo(MAX_EVENT_TOKENS)

/** The columns of `tollgate.usage_row`, in its order. Another one makes rows of another version. */
export const USAGE_COLUMNS: Readonly<Record<Exclude<keyof Usage, 'type'>, Column>> = {
  source: text,
  id: text,
  time,
  received_at: time,
  member: { kind: 'boolean', pattern: '[tf]' },
  organization_id: uuid,
  user_id: uuid,
  session_id: text,
  message_id: { ...text, isOptional: true },
  provider: { ...text, isOptional: true },
  model: text,
  input_tokens: tokens,
  output_tokens: tokens,
  cache_read_input_tokens: tokens,
  cache_creation_input_tokens: tokens,
  reasoning_output_tokens: tokens,
  message_count: upTo(MAX_MESSAGES),
  reservation_id: { ...uuid, isOptional: true },
}
const COLUMNS = Object.entries(USAGE_COLUMNS)

const IS_BARE = new RegExp(`^${BARE}$`)
const IS_TIME = new RegExp(`^${TIME}$`)
const NEXT_ROW = new RegExp(
  `\\(${COLUMNS.map(([, { pattern, isOptional }]) => (isOptional ? `(?:${pattern})?` : pattern)).join(',')}\\)(?:\\\\n(?=\\()|$)`,
  'y',
)
const FIELD = /(?:^|,)(?:"((?:[^"]|"")*)"|([^,]*))/g
// Stands in the place of what no row can hold; no row holds it.
const UNFIT = '\u0000'

/**
 * Writes usage as rows, each a composite as Postgres reads it, one a line: the content of a JSON string. Undefined for
 * events that are not all usage, or hold what needs an object: a line break in a text, a time of another form.
 */
export function writeRows(events: readonly AcceptedEvent[]): string | undefined {
  let rows = ''
  for (const event of events) {
    if (event.type !== 'usage.recorded') return undefined
    if (rows !== '') rows += '\\n'
    rows += writeRow(event)
  }
  return rows === '' || rows.includes(UNFIT) ? undefined : rows
}

// Written out, because a loop over the columns takes several times as long.
function writeRow(row: Usage): string {
  return `(${ofText(row.source)},${ofText(row.id)},${ofTime(row.time)},${ofTime(row.received_at)},${row.member ? 't' : 'f'},${
    row.organization_id
  },${row.user_id},${ofText(row.session_id)},${ofText(row.message_id)},${ofText(row.provider)},${ofText(row.model)},${
    row.input_tokens
  },${row.output_tokens},${row.cache_read_input_tokens},${row.cache_creation_input_tokens},${row.reasoning_output_tokens},${
    row.message_count
  },${row.reservation_id ?? ''})`
}

function ofTime(time: string): string {
  return IS_TIME.test(time) ? time : UNFIT
}

function ofText(text: string | undefined): string {
  if (text === undefined) return ''
  return IS_BARE.test(text) ? text : quote(text)
}

function quote(text: string): string {
  // An empty one would be read as none, and a lone half of a character does not survive Redis.
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what it looks for
  if (text === '' || /[\u0000-\u001f]/.test(text) || !text.isWellFormed()) return UNFIT
  return `\\"${text.replaceAll('\\', '\\\\\\\\').replaceAll('"', '\\"\\"')}\\"`
}

/** How many rows these are; undefined unless each is as `writeRows` writes it. */
export function countRows(rows: string): number | undefined {
  let count = 0
  for (NEXT_ROW.lastIndex = 0; NEXT_ROW.lastIndex < rows.length; count++) if (!NEXT_ROW.test(rows)) return undefined
  return count > 0 ? count : undefined
}

/** The events that were written. @throws SyntaxError for what is no content of a JSON string */
export function listRows(rows: string): AcceptedEvent[] {
  const lines: string = JSON.parse(`"${rows}"`)
  return lines.split('\n').map((line) => {
    const fields = [...line.slice(1, -1).matchAll(FIELD)]
    const columns = COLUMNS.map(([name, column], at) => [name, readField(column, fields[at])])
    // All columns of the type, in the forms that the pattern or the writer has seen to.
    return Object.fromEntries([['type', 'usage.recorded'], ...columns.filter(([, value]) => value !== undefined)])
  })
}

function readField({ kind }: Column, field: RegExpExecArray | undefined): string | boolean | number | undefined {
  const [, quoted, bare] = field ?? []
  const content = quoted?.replace(/(["\\])\1/g, '$1') ?? bare
  if (content === undefined || content === '') return undefined
  if (kind === 'text') return content
  return kind === 'count' ? Number(content) : content === 't'
}
