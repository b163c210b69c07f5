import { bucketSize } from '../chart/buckets.ts'
import type { Names } from '../data/use-names.ts'
import { formatDate } from '../figures/format.ts'
import { addDays, firstDayTo, lastDayFrom, MAX_DAYS, readDay } from '../filters/days.ts'
import { type Filters, type GROUPS, type METRICS, PRESETS } from '../filters/filters.ts'
import { daysBetween, type Span } from '../filters/span.ts'
import { barName, CHART_NAME, DAY_NAME } from './focus-names.ts'
import type { FocusMoves } from './use-focus-moves.ts'

interface FilterBarProps {
  readonly filters: Filters
  readonly change: (part: Partial<Filters>) => void
  readonly names: Names
  /** What is shown at present. */
  readonly span: Span
  readonly focus: FocusMoves
}

const PRESET_NAMES: Record<(typeof PRESETS)[number], string> = {
  period: 'This period',
  'previous-period': 'Period before',
  'last-7-days': 'Last 7 days',
  'last-30-days': 'Last 30 days',
  'last-12-months': 'Last 12 months',
  custom: 'Own range',
}
const METRIC_NAMES: Record<(typeof METRICS)[number], string> = { tokens: 'Tokens', cost: 'Cost', messages: 'Messages' }
const GROUP_NAMES: Record<(typeof GROUPS)[number], string> = { model: 'Model', user: 'User', token_kind: 'Token kind' }

/** Which span, which figure, grouped by what; and what has been narrowed down to. */
export function FilterBar({ filters, change, names, span, focus }: FilterBarProps) {
  const onPreset = (preset: Filters['preset']): void => {
    // A range of one's own begins with the days that are shown.
    const shown = { start: span.start, end: addDays(span.end, -1) }
    change({ preset, day: null, ...(preset === 'custom' ? shown : {}) })
  }
  const onRange = (side: 'start' | 'end', day: string): void => {
    // A year that is being typed passes through the first century.
    if (readDay(day) === null) return
    const [start, end] = [filters.start ?? day, filters.end ?? day]
    const isFar = day > lastDayFrom(start)
    // A day beyond the other end, or too far from it, takes that end along, so that a range is one at any time.
    if (side === 'start') change({ start: day, end: end < day ? day : end })
    else change({ start: day < start ? day : isFar ? firstDayTo(day) : start, end: day })
  }
  // The chip that is cleared goes: the day's bar is there again, unless nothing is drawn by the day.
  const clear = (part: Partial<Filters>): void => {
    const isDrawn = filters.day !== null && filters.day >= span.start && filters.day < span.end
    focus.want(part.day === null && isDrawn && bucketSize(span) === 'day' ? barName(filters.day) : CHART_NAME)
    change(part)
  }
  return (
    <fieldset class="filters" aria-label="Filters">
      <label>
        Span{' '}
        <select value={filters.preset} onChange={(event) => onPreset(event.currentTarget.value as Filters['preset'])}>
          {PRESETS.map((preset) => (
            <option key={preset} value={preset}>
              {PRESET_NAMES[preset]}
            </option>
          ))}
        </select>
      </label>
      {filters.preset === 'custom' && (
        <>
          <label>
            From{' '}
            <input
              type="date"
              value={filters.start ?? ''}
              onChange={(event) => onRange('start', event.currentTarget.value)}
            />
          </label>
          <label>
            to{' '}
            <input
              type="date"
              value={filters.end ?? ''}
              onChange={(event) => onRange('end', event.currentTarget.value)}
            />
          </label>
          {daysBetween(span) === MAX_DAYS && <span class="quiet">at most {MAX_DAYS} days</span>}
        </>
      )}
      <Switch
        legend="Show"
        names={METRIC_NAMES}
        chosen={filters.metric}
        isOff={filters.by === 'token_kind'}
        onChoose={(metric) => change({ metric })}
      />
      <Switch legend="by" names={GROUP_NAMES} chosen={filters.by} isOff={false} onChoose={(by) => change({ by })} />
      {filters.model !== null && <Narrowed what={`Model ${filters.model}`} onClear={() => clear({ model: null })} />}
      {filters.user !== null && (
        <Narrowed what={names[filters.user] ?? 'One user'} onClear={() => clear({ user: null })} />
      )}
      {filters.day !== null && (
        <Narrowed
          what={`Hours of ${formatDate(filters.day)}`}
          chipRef={focus.place(DAY_NAME)}
          onClear={() => clear({ day: null })}
        />
      )}
    </fieldset>
  )
}

interface SwitchProps<Choice extends string> {
  readonly legend: string
  readonly names: Record<Choice, string>
  readonly chosen: Choice
  readonly isOff: boolean
  readonly onChoose: (choice: Choice) => void
}

function Switch<Choice extends string>({ legend, names, chosen, isOff, onChoose }: SwitchProps<Choice>) {
  return (
    <fieldset class="switch" aria-label={legend}>
      <span class="quiet">{legend}</span>
      {(Object.keys(names) as Choice[]).map((choice) => (
        <button
          key={choice}
          type="button"
          aria-pressed={choice === chosen}
          disabled={isOff && choice !== chosen}
          onClick={() => onChoose(choice)}
        >
          {names[choice]}
        </button>
      ))}
    </fieldset>
  )
}

interface NarrowedProps {
  readonly what: string
  readonly chipRef?: (element: HTMLElement | null) => void
  readonly onClear: () => void
}

const Narrowed = ({ what, chipRef, onClear }: NarrowedProps) => (
  <button type="button" class="chip" ref={chipRef ?? null} onClick={onClear} aria-label={`${what}: show all again`}>
    {what} ✕
  </button>
)
