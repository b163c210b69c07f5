/** A SQL text with its parameters. */
export interface Call {
  readonly text: string
  readonly values: unknown[]
}

const IDENTIFIER = /^[a-z_][a-z0-9_]{0,62}$/

/**
 * Builds `select * from public.fn(name => $1, …)`. Names must be plain lower-case identifiers, since they become part
 * of the text; undefined arguments are left out, so that the function's default holds (as supabase-js does).
 */
export function buildCall(fn: string, args: object): Call {
  const given = Object.entries(args).filter(([, value]) => value !== undefined)
  for (const name of [fn, ...given.map(([name]) => name)]) {
    if (!IDENTIFIER.test(name)) throw new TypeError(`not an SQL identifier: ${JSON.stringify(name)}`)
  }
  const list = given.map(([name], index) => `${name} => $${index + 1}`)
  return {
    text: `select * from public.${fn}(${list.join(', ')})`,
    values: given.map(([, value]) => toParameter(value)),
  }
}

function toParameter(value: unknown): unknown {
  if (value instanceof Date) return value.toISOString()
  if (typeof value === 'bigint') return value.toString()
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
  return JSON.stringify(value)
}
