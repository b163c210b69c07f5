import { isStorable } from './text.ts'

// Looks at parsed JSON that take a fraction of a schema's time: where each request passes. What they refuse is a schema's to judge.

/** What a parsed JSON object may hold under the names of a type. */
export type Unchecked<Type> = { readonly [Name in keyof Type]?: unknown }

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/

/** An object that is no array. */
export function isObject<Type>(value: unknown): value is Unchecked<Type> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** As `boundedText`. */
export function isText(value: unknown, max: number): value is string {
  return typeof value === 'string' && value.length > 0 && value.length <= max && isStorable(value)
}

/** As `uuid`, in the form that it gives. */
export function isUuid(value: unknown): value is string {
  return typeof value === 'string' && UUID.test(value)
}

/** An integer of a range. */
export function isCount(value: unknown, min: number, max: number): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max
}
