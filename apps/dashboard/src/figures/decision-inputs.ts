import type { DecisionRow } from '../data/reports.ts'
import { formatCount, formatExactMoney, formatTime } from './format.ts'

/** What a decision was made from, as pairs of a name and a text; nothing that is on record is left out. */
export function tellInputs(
  { id, reason, inputs, withheld, effective_at }: DecisionRow,
  timeZone: string,
): [string, string][] {
  const told = FIELDS.filter(([name]) => name in inputs).map(([name, label, tell]): [string, string] => [
    label,
    tell(inputs[name], timeZone),
  ])
  const known = new Set(FIELDS.map(([name]) => name))
  const others = Object.entries(inputs).filter(([name]) => !known.has(name))
  return [
    ...told,
    ...tellAge(inputs),
    ...others.map(([name, value]): [string, string] => [name, tellText(value, timeZone)]),
    ...(withheld === null ? [] : [['Not put into effect', tellWithheld(withheld, timeZone)] as [string, string]]),
    ...(effective_at === null ? [] : [['Over since', tellTime(effective_at, timeZone)] as [string, string]]),
    ['Reason on record', reason],
    ['Decision', id],
  ]
}

type Tell = (value: unknown, timeZone: string) => string

const tellText: Tell = (value) =>
  value === null ? 'none' : typeof value === 'object' ? JSON.stringify(value) : String(value)
const isText = (value: unknown, pattern: RegExp): value is string => typeof value === 'string' && pattern.test(value)
const tellCount: Tell = (value, zone) => (isText(value, /^-?\d+$/) ? formatCount(value) : tellText(value, zone))
const tellMoney: Tell = (value, zone) =>
  isText(value, /^-?\d+(\.\d+)?$/) ? formatExactMoney(value) : tellText(value, zone)
const tellTime: Tell = (value, zone) =>
  typeof value === 'string' && !Number.isNaN(Date.parse(value))
    ? formatTime(value, zone, 'medium')
    : tellText(value, zone)
const tellPercent: Tell = (value, zone) => (typeof value === 'number' ? `${value} %` : tellText(value, zone))

const FIELDS: readonly (readonly [name: string, label: string, tell: Tell])[] = [
  ['action', 'Ordered', tellText],
  ['reason', 'Reason given', tellText],
  ['until', 'Until', tellTime],
  ['used_tokens', 'LLM tokens of the ledger', tellCount],
  ['limit_tokens', 'Limit', tellCount],
  ['percent', 'Used of the limit', tellPercent],
  ['base_limit_tokens', 'Limit without grants', tellCount],
  ['granted_tokens', 'Granted', tellCount],
  ['reserved_tokens', 'Reserved', tellCount],
  ['cost_usd', 'Cost', tellMoney],
  ['max_cost_usd', 'Limit of cost', tellMoney],
  ['unpriced_events', 'Calls without a price', tellCount],
  ['policy_version', 'Policy version', tellText],
  ['mode', 'Mode', tellText],
  ['act', 'Ordered by hand', tellText],
  ['act_decision_id', 'Order', tellText],
  ['trigger', 'Looked at because of', tellText],
  ['period_start', 'Period from', tellTime],
  ['as_of', 'Figures read', tellTime],
  ['counted_at', 'Newest usage counted', tellTime],
]

// How old the figures were: from the newest usage in them to when they were read.
function tellAge({ as_of, counted_at }: DecisionRow['inputs']): [string, string][] {
  if (typeof as_of !== 'string' || typeof counted_at !== 'string') return []
  const seconds = (Date.parse(as_of) - Date.parse(counted_at)) / 1_000
  return Number.isNaN(seconds) ? [] : [['Age of the figures', `${AGE.format(Math.max(0, seconds))}`]]
}

const AGE = new Intl.NumberFormat('en', { style: 'unit', unit: 'second', maximumFractionDigits: 1 })

function tellWithheld({ state, reason, because, until }: NonNullable<DecisionRow['withheld']>, zone: string): string {
  return `${state} (${reason}), because of ${because}${until === null ? '' : ` until ${formatTime(until, zone)}`}`
}
