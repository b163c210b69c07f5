/** Figures as they are shown; null stands for what is not known and is never shown as zero. */
const whole = new Intl.NumberFormat('en')
const short = new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 1 })
const dollars = new Intl.NumberFormat('en', { style: 'currency', currency: 'USD', maximumFractionDigits: 2 })
const exactDollars = new Intl.NumberFormat('en', { style: 'currency', currency: 'USD', maximumFractionDigits: 12 })
const percent = new Intl.NumberFormat('en', { style: 'percent', maximumFractionDigits: 0 })
const change = new Intl.NumberFormat('en', { style: 'percent', maximumFractionDigits: 0, signDisplay: 'exceptZero' })

/** A count with its separators; exact, however large. */
export const formatCount = (count: string | bigint): string => whole.format(BigInt(count))

/** A count for an axis or a tile, such as 1.2M. */
export const formatShort = (count: number): string => short.format(count)

// Intl formats a decimal string digit by digit; TypeScript's library wants to know that it is one.
const decimal = (usd: string): `${number}` => usd as `${number}`

/** US dollars to the cent; `unpriced` for what has no known price, and something for less than a cent. */
export function formatMoney(usd: string | null): string {
  if (usd === null) return 'unpriced'
  const isTiny = Number(usd) > 0 && Number(usd) < 0.01
  return isTiny ? '< $0.01' : dollars.format(decimal(usd))
}

/** US dollars to the last digit that is on record. */
export const formatExactMoney = (usd: string | null): string =>
  usd === null ? 'unpriced' : exactDollars.format(decimal(usd))

/** A label of an axis of money whose labels are `step` apart: as many digits as tell them apart exactly. */
export function formatMoneyTick(usd: number, step: number): string {
  const places = Array.from({ length: 13 }, (_, places) => places).find((places) => isWhole(step * 10 ** places)) ?? 12
  const digits = places === 0 ? 0 : Math.max(2, places)
  const options = { minimumFractionDigits: digits, maximumFractionDigits: digits }
  return new Intl.NumberFormat('en', { style: 'currency', currency: 'USD', ...options }).format(usd)
}

// As whole as a product of fractions can be.
const isWhole = (value: number): boolean => value > 0.5 && Math.abs(value - Math.round(value)) < 1e-6

/** A share of a limit, such as 24%, in whole percent that were reached, as decisions have it; all of a limit of nothing. */
export const formatPercent = (used: string, limit: number): string =>
  percent.format(limit === 0 ? 1 : Number((BigInt(used) * 100n) / BigInt(limit)) / 100)

// Beyond ten times as much a percentage tells nothing but that there was hardly anything before.
const MAX_CHANGE = 9.99

/** How a figure changed against the span before; nothing can be said where that was zero or is not known. */
export function formatChange(now: string | null, before: string | null): string {
  if (now === null || before === null || Number(before) === 0) return '–'
  const share = Number(now) / Number(before) - 1
  return share > MAX_CHANGE ? `> ${change.format(MAX_CHANGE)}` : change.format(share)
}

/** A day as it is printed, such as Nov 1, 2026. */
export const formatDate = (day: string): string => formatDay(day, { dateStyle: 'medium' })

/** Days of a span as they are printed: Nov 1 – 26, 2026. */
export const formatSpan = ({ start, end }: { readonly start: string; readonly end: string }): string =>
  new Intl.DateTimeFormat('en', { dateStyle: 'medium', timeZone: 'UTC' }).formatRange(
    Date.parse(`${start}T00:00:00Z`),
    Date.parse(`${end}T00:00:00Z`) - 1,
  )

/** So many calls: 1 call, 2 calls. */
export const formatCalls = (count: string | bigint): string =>
  `${formatCount(count)} ${BigInt(count) === 1n ? 'call' : 'calls'}`

/** A count as it may be typed: bare, or with one kind of separator at every third digit, so that no decimal is one. */
export const COUNT_PATTERN = '[0-9]{1,16}|[0-9]{1,3}([ ,._])[0-9]{3}(?:\\1[0-9]{3}){0,4}'
/** The same in words, as the title of a field. */
export const COUNT_TITLE = 'A whole number, such as 1500000 or 1,500,000'
const COUNT = new RegExp(`^(?:${COUNT_PATTERN})$`)

/** Whether what somebody typed is a count. */
export const isCount = (text: string): boolean => COUNT.test(text.trim())

/** What somebody typed as a count; null where nothing was typed. @throws RangeError for what is no count */
export function readCount(text: File | string | null): number | null {
  const typed = String(text ?? '').trim()
  if (typed === '') return null
  if (!isCount(typed)) throw new RangeError(`${typed} is no whole number`)
  return Number(typed.replace(/[ ,_.]/g, ''))
}

/** An instant in the organization's time zone. */
export const formatTime = (time: string, timeZone: string, timeStyle: 'short' | 'medium' = 'short'): string =>
  new Intl.DateTimeFormat('en', { dateStyle: 'medium', timeStyle, timeZone }).format(new Date(time))

/** Who did something: by name, where the caller may see it; the platform's own staff and servers without. */
export function tellActor(actor: string, name: string | null): string {
  if (name !== null) return name
  if (actor === 'quota-enforcer') return 'the policy'
  if (actor.startsWith('user:')) return 'the platform’s staff'
  return actor.startsWith('key:') ? 'a server’s key' : actor
}

/** A bucket of a report as a label: `Nov 24`, `Nov 2026`, `8 PM`. */
export function formatBucket(bucket: string, timeZone: string): string {
  if (bucket.includes('T')) {
    // An hour begins at a minute of its own where a zone is half an hour off.
    const hour = new Intl.DateTimeFormat('en', { timeStyle: 'short', timeZone })
    return hour.format(new Date(bucket)).replace(':00', '')
  }
  if (bucket.length === 7) return formatDay(`${bucket}-01`, { month: 'short', year: 'numeric' })
  return formatDay(bucket, { day: 'numeric', month: 'short' })
}

/** A bucket of a report in full: an hour with its day. */
export const formatBucketFully = (bucket: string, timeZone: string): string =>
  bucket.includes('T') ? formatTime(bucket, timeZone) : formatBucket(bucket, timeZone)

// A day has no time zone: it is written as it stands.
function formatDay(day: string, parts: Intl.DateTimeFormatOptions): string {
  return new Intl.DateTimeFormat('en', { ...parts, timeZone: 'UTC' }).format(new Date(`${day}T00:00:00Z`))
}

/** How long a session lasted, such as `1 h 12 min`. */
export function formatDuration(from: string, to: string): string {
  const minutes = Math.round((Date.parse(to) - Date.parse(from)) / 60_000)
  if (minutes < 1) return '< 1 min'
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`
}
