import { normaliseUsage, type RejectionReason } from '@tollgate/shared/contracts'

/** An event with counts, or why it has none. */
export type Filled =
  | { readonly item: unknown }
  | { readonly reason: Extract<RejectionReason, 'usage_missing' | 'invalid_event'>; readonly detail: string }

const COUNTS = [
  'input_tokens',
  'output_tokens',
  'cache_read_input_tokens',
  'cache_creation_input_tokens',
  'reasoning_output_tokens',
]

/**
 * Puts canonical counts in the place of a provider's own `data.usage`; an event without one stays as it is. Counts and
 * a usage object in the same event could contradict each other, so that is refused.
 */
export function fillCounts(item: unknown): Filled {
  const data = property(item, 'data')
  if (typeof item !== 'object' || typeof data !== 'object' || data === null || !Object.hasOwn(data, 'usage')) {
    return { item }
  }
  const { usage, ...rest } = data as Record<string, unknown>
  const given = COUNTS.find((name) => Object.hasOwn(rest, name))
  if (given !== undefined) {
    return { reason: 'invalid_event', detail: `data: either ${given} or usage, not both` }
  }
  const counts = normaliseUsage(usage)
  if (!('fault' in counts)) return { item: { ...item, data: { ...rest, ...counts } } }
  return {
    reason: counts.fault === 'missing' ? 'usage_missing' : 'invalid_event',
    detail: `data.usage: ${counts.detail}`,
  }
}

function property(item: unknown, name: string): unknown {
  return typeof item === 'object' && item !== null ? Reflect.get(item, name) : undefined
}
