import { USAGE_FORMATS, type UsageFormat } from './formats.ts'

/** Counts of LLM tokens as Tollgate keeps them: input includes cached input, output includes reasoning and audio. */
export interface UsageCounts {
  readonly input_tokens: number
  readonly output_tokens: number
  readonly cache_read_input_tokens: number
  readonly cache_creation_input_tokens: number
  readonly reasoning_output_tokens: number
}

/** `missing`: input or output is not said, which is not the same as zero. `unreadable`: what is said makes no sense. */
export interface UsageFault {
  readonly fault: 'missing' | 'unreadable'
  readonly detail: string
}

/** Thrown and caught within this file alone. */
class UnreadableError extends Error {}

/**
 * Turns a provider's own `usage` object into canonical counts. The format is told by its names, not by who sent it:
 * Bedrock, Azure and gateways hand on other makers' objects. An explicit 0 is 0; a missing input or output is a fault,
 * unless it follows from the provider's total. Sub-counts that are not reported are 0.
 */
export function normaliseUsage(usage: unknown): UsageCounts | UsageFault {
  if (usage === null || usage === undefined) return missing('the provider reported no usage')
  if (typeof usage !== 'object' || Array.isArray(usage)) return unreadable('usage must be an object')
  if (Object.keys(usage).length === 0) return missing('the usage object is empty')
  const format = USAGE_FORMATS.find(({ marks }) => marks.some((mark) => Object.hasOwn(usage, mark)))
  if (format === undefined) return unreadable('no known format of usage has these names')
  try {
    return readCounts(usage, format)
  } catch (error) {
    if (error instanceof UnreadableError) return unreadable(error.message)
    throw error
  }
}

function readCounts(usage: object, format: UsageFormat): UsageCounts | UsageFault {
  const [cacheRead = 0, cacheCreation = 0] = [read(usage, format.cacheRead), read(usage, format.cacheCreation)]
  const reasoning = read(usage, format.reasoning) ?? 0
  const total = read(usage, format.total)
  const reportedInput = read(usage, format.input)
  if (reportedInput === undefined) return missing(`${format.name}: ${format.input[0]?.[0]} is missing`)
  const input = reportedInput + (format.cacheBesideInput ? cacheRead + cacheCreation : 0)
  const reported = read(usage, format.output) ?? difference(total, input)
  if (reported === undefined) return missing(`${format.name}: ${format.output[0]?.[0]} is missing`)
  const hidden = format.excessIsOutput ? Math.max(0, difference(total, input + reported) ?? 0) : 0
  const output = reported + hidden
  if (cacheRead + cacheCreation > input) return unreadable(`${format.name}: more input is cached than there is`)
  if (reasoning > output) return unreadable(`${format.name}: more output is reasoning than there is`)
  return {
    input_tokens: input,
    output_tokens: output,
    cache_read_input_tokens: cacheRead,
    cache_creation_input_tokens: cacheCreation,
    reasoning_output_tokens: Math.max(reasoning, hidden),
  }
}

/** Undefined where there is no total; a total that is too small says nothing. */
function difference(total: number | undefined, parts: number): number | undefined {
  return total === undefined || total < parts ? undefined : total - parts
}

/** The sum of the first alternative that is there; undefined where none is. */
function read(usage: object, field: UsageFormat['input']): number | undefined {
  for (const [first = '', ...others] of field) {
    const count = readCount(usage, first)
    if (count !== undefined) return others.reduce((sum, path) => sum + (readCount(usage, path) ?? 0), count)
  }
  return undefined
}

/** Null counts as missing: providers write it for what they did not measure. */
function readCount(usage: object, path: string): number | undefined {
  let value: unknown = usage
  for (const step of path.split('/')) {
    if (value === null || value === undefined) return undefined
    if (typeof value !== 'object') throw new UnreadableError(`${path} must stand in an object`)
    value = Object.hasOwn(value, step) ? Reflect.get(value, step) : undefined
  }
  if (value === null || value === undefined) return undefined
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value
  throw new UnreadableError(`${path} must be a whole number of LLM tokens`)
}

function missing(detail: string): UsageFault {
  return { fault: 'missing', detail }
}

function unreadable(detail: string): UsageFault {
  return { fault: 'unreadable', detail }
}
