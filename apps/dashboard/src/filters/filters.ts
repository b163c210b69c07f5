import { lastDayFrom, readDay } from './days.ts'

/** What the page shows; all of it stands in the address, so that a view can be kept, sent and gone back to. */
export interface Filters {
  /** Organization shown; null: the own one, or for super_admin the list. */
  readonly organization: string | null
  /** What the list of organizations is searched for. */
  readonly search: string | null
  readonly preset: Preset
  /** Days of the organization, with the preset `custom`; `end` is the last day shown. */
  readonly start: string | null
  readonly end: string | null
  readonly metric: Metric
  readonly by: Group
  /** Order of the table and of its exports; `-` before the column: from the highest down. */
  readonly sort: Sort
  /** A day whose hours are shown instead of days. */
  readonly day: string | null
  readonly user: string | null
  readonly model: string | null
  /** What of the organization is shown. */
  readonly view: View
  /** A day of the period whose statement is shown; null: the present one. */
  readonly period: string | null
}

/** Back to where one comes in: the own organization, or for super_admin the list. */
export const HOME: Partial<Filters> = { organization: null, user: null, model: null, day: null }

export const PRESETS = ['period', 'last-7-days', 'last-30-days', 'last-12-months', 'previous-period', 'custom'] as const
export type Preset = (typeof PRESETS)[number]
export const METRICS = ['tokens', 'cost', 'messages'] as const
export type Metric = (typeof METRICS)[number]
export const GROUPS = ['model', 'user', 'token_kind'] as const
export type Group = (typeof GROUPS)[number]

export const SORT_COLUMNS = ['bucket', 'group', 'tokens_used', 'cost_usd', 'message_count'] as const
export type SortColumn = (typeof SORT_COLUMNS)[number]
export type Sort = SortColumn | `-${SortColumn}`
export const SORTS: readonly [Sort, ...Sort[]] = [
  '-bucket',
  ...SORT_COLUMNS,
  '-group',
  '-tokens_used',
  '-cost_usd',
  '-message_count',
]

export const VIEWS = ['usage', 'statement'] as const
export type View = (typeof VIEWS)[number]

const ID = /^[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}$/i

/** Whether a text of an address may name an organization or a user. */
export const isId = (text: string): boolean => ID.test(text)

const oneOf = <Choice extends string>(choices: readonly [Choice, ...Choice[]], text: string | null): Choice =>
  choices.find((choice) => choice === text) ?? choices[0]

const earlier = (one: string, other: string): string => (one < other ? one : other)

/** Reads an address's query; what is missing or odd falls back to the default, and a range ends where a report must. */
export function readFilters(search: string): Filters {
  const query = new URLSearchParams(search)
  const [start, end] = [readDay(query.get('start')), readDay(query.get('end'))]
  const preset = oneOf(PRESETS, query.get('preset'))
  const isWhole = start !== null && end !== null && start <= end
  const by = oneOf(GROUPS, query.get('by'))
  const metric = oneOf(METRICS, query.get('metric'))
  return {
    organization: query.get('org'),
    search: query.get('q') || null,
    preset: preset === 'custom' && !isWhole ? 'period' : preset,
    start: preset === 'custom' && isWhole ? start : null,
    end: preset === 'custom' && isWhole ? earlier(end, lastDayFrom(start)) : null,
    // A kind of LLM token has neither a cost nor messages of its own.
    metric: by === 'token_kind' ? 'tokens' : metric,
    by,
    sort: oneOf(SORTS, query.get('sort')),
    day: readDay(query.get('day')),
    user: query.get('user'),
    model: query.get('model'),
    view: oneOf(VIEWS, query.get('view')),
    period: readDay(query.get('period')),
  }
}

/** Writes the query of an address, without what is the default. */
export function writeFilters(filters: Filters): string {
  const query = new URLSearchParams()
  const put = (name: string, value: string | null, usual: string | null = null): void => {
    if (value !== null && value !== usual) query.set(name, value)
  }
  put('org', filters.organization)
  put('q', filters.search)
  put('preset', filters.preset, PRESETS[0])
  put('start', filters.start)
  put('end', filters.end)
  put('metric', filters.metric, METRICS[0])
  put('by', filters.by, GROUPS[0])
  put('sort', filters.sort, SORTS[0])
  put('day', filters.day)
  put('user', filters.user)
  put('model', filters.model)
  put('view', filters.view, VIEWS[0])
  put('period', filters.period)
  const text = query.toString()
  return text === '' ? '' : `?${text}`
}
