import fc from 'fast-check'

/** A JSON Schema as it stands in an OpenAPI 3.1 document. */
export type JsonSchema = { readonly [keyword: string]: unknown }

// What has broken programs like this one before.
const HOSTILE: readonly unknown[] = [
  ...['', '\u0000', '\ud800', '__proto__', "' or 1=1 --", '../../etc/passwd', '\u202e', '{{7*7}}', 'x'.repeat(5_000)],
  ...[-1, 1.5, 2 ** 53, -(2 ** 63), 1e308, null, true, [], {}, [[[[[[[[]]]]]]]], { __proto__: null, constructor: 1 }],
]
const hostile = fc.constantFrom(...HOSTILE)

/** Values that a schema describes, with something hostile now and then at any depth. `known` are ids that exist. */
export function arbitraryOf(schema: JsonSchema, known: readonly string[], depth = 0): fc.Arbitrary<unknown> {
  if (depth > 8) return fc.constant(null)
  return fc.oneof({ weight: 24, arbitrary: describedBy(schema, known, depth) }, { weight: 1, arbitrary: hostile })
}

function describedBy(schema: JsonSchema, known: readonly string[], depth: number): fc.Arbitrary<unknown> {
  const inner = (value: unknown) => arbitraryOf(isSchema(value) ? value : {}, known, depth + 1)
  if ('const' in schema) return fc.constant(schema.const)
  if (Array.isArray(schema.enum)) return fc.constantFrom(...schema.enum)
  const choices = [schema.anyOf, schema.oneOf].find(Array.isArray)
  if (choices) return fc.oneof(...choices.map(inner))
  if (Array.isArray(schema.allOf)) {
    return fc.tuple(...schema.allOf.map(inner)).map((parts) => Object.assign({}, ...parts))
  }
  const types = [schema.type].flat()
  const byType = types.map((type) => ofType(type, schema, known, inner))
  return fc.oneof(...byType)
}

function ofType(
  type: unknown,
  schema: JsonSchema,
  known: readonly string[],
  inner: (value: unknown) => fc.Arbitrary<unknown>,
): fc.Arbitrary<unknown> {
  switch (type) {
    case 'object':
      return ofObject(schema, inner)
    case 'array':
      return fc.array(inner(schema.items), {
        minLength: atMost(schema.minItems, 3),
        maxLength: atMost(schema.maxItems, 4),
      })
    case 'string':
      return ofString(schema, known)
    case 'integer':
      return fc.integer({
        min: bound(schema.minimum, -5),
        max: Math.max(bound(schema.minimum, -5), bound(schema.maximum, 5_000)),
      })
    case 'number':
      return fc.double({ noNaN: true, noDefaultInfinity: true })
    case 'boolean':
      return fc.boolean()
    case 'null':
      return fc.constant(null)
    default:
      return fc.jsonValue()
  }
}

function ofObject(schema: JsonSchema, inner: (value: unknown) => fc.Arbitrary<unknown>): fc.Arbitrary<unknown> {
  const properties = isSchema(schema.properties) ? schema.properties : {}
  const fields = Object.fromEntries(Object.entries(properties).map(([name, field]) => [name, inner(field)]))
  const required = Array.isArray(schema.required) ? schema.required.map(String) : []
  const described = fc.record(fields, { requiredKeys: required.filter((name) => name in fields) })
  const strayKey = fc.constantFrom('role', 'is_admin', '__proto__', 'x')
  const stray = fc.option(fc.tuple(strayKey, hostile), { nil: undefined, freq: 12 })
  return fc.tuple(described, stray).map(([value, extra]) => (extra ? { ...value, [extra[0]]: extra[1] } : value))
}

function ofString({ pattern, format, minLength, maxLength }: JsonSchema, known: readonly string[]) {
  if (format === 'uuid' || /8\}-|-4|\[0-9a-f/i.test(String(pattern ?? '')))
    return fc.oneof(fc.constantFrom(...known), fc.uuid())
  if (format === 'date-time') return fc.date({ noInvalidDate: true }).map((date) => date.toISOString())
  if (format === 'date') return fc.date({ noInvalidDate: true }).map((date) => date.toISOString().slice(0, 10))
  if (typeof pattern === 'string') return matching(pattern)
  return fc.string({ unit: 'binary', minLength: atMost(minLength, 1), maxLength: atMost(maxLength, 40) })
}

// Not every pattern can be turned round.
function matching(pattern: string): fc.Arbitrary<string> {
  try {
    return fc.stringMatching(new RegExp(pattern), { size: 'small' })
  } catch {
    return fc.string()
  }
}

const isSchema = (value: unknown): value is JsonSchema => typeof value === 'object' && value !== null
const bound = (value: unknown, otherwise: number): number =>
  typeof value === 'number' && Number.isSafeInteger(value) ? value : otherwise
const atMost = (value: unknown, most: number): number => (typeof value === 'number' ? Math.min(value, most) : most)
