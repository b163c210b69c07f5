import { z } from 'zod'

/** PostgreSQL's text and jsonb store neither NUL nor lone surrogates: refuse both at the door. */
export const isStorable = (value: string): boolean => value.isWellFormed() && !value.includes('\u0000')

/** Text of 1 to `max` UTF-16 units that PostgreSQL can store. */
export const boundedText = (max: number) =>
  z.string().min(1).max(max).refine(isStorable, 'must be well-formed Unicode without NUL')

/** A UUID in its canonical lower-case form, so that equal ids are equal strings. */
export const uuid = z.guid().transform((value) => value.toLowerCase())

/** RFC 3339 time with an offset, handed on in UTC with milliseconds. */
export const instant = z.iso.datetime({ offset: true }).transform((value, context) => {
  const time = new Date(value)
  if (Number.isNaN(time.getTime())) {
    context.addIssue({ code: 'custom', message: 'must be an RFC 3339 date-time that exists' })
    return z.NEVER
  }
  return time.toISOString()
})

/** An exact integer that travels as decimal text, because PostgreSQL's bigint is wider than a double's 53 bits. */
export const bigintText = z.string().regex(/^-?\d{1,19}$/)

/** An exact decimal amount of US dollars, as text. */
export const moneyText = z.string().regex(/^-?\d{1,20}(\.\d{1,12})?$/)
