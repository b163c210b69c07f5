/** The middle of some figures and how far they lie apart. */
export interface Spread {
  readonly value: number
  readonly min: number
  readonly max: number
}

/** The middle figure; of an even number of them the mean of the middle two. @throws RangeError when there is none */
export function median(figures: readonly number[]): number {
  const sorted = figures.toSorted((one, other) => one - other)
  const upper = sorted[Math.floor(sorted.length / 2)]
  const lower = sorted[Math.ceil(sorted.length / 2) - 1]
  if (upper === undefined || lower === undefined) throw new RangeError('there is no median of nothing')
  return (lower + upper) / 2
}

/** The smallest figure that is not exceeded by `percent` % of them (nearest rank). @throws RangeError when there is none */
export function percentile(figures: readonly number[], percent: number): number {
  const sorted = figures.toSorted((one, other) => one - other)
  const found = sorted[Math.max(0, Math.ceil((percent / 100) * sorted.length) - 1)]
  if (found === undefined) throw new RangeError('there is no percentile of nothing')
  return found
}

/** The median with the smallest and the largest figure. */
export function spreadOf(figures: readonly number[]): Spread {
  return { value: median(figures), min: Math.min(...figures), max: Math.max(...figures) }
}

/**
 * Divides round by round before it takes the median: what slowed the machine down in one round slowed both sides.
 * @throws RangeError when the sides have different numbers of rounds
 */
export function ratioOf(numerators: readonly number[], denominators: readonly number[]): Spread {
  if (numerators.length !== denominators.length) throw new RangeError('both sides of a ratio need the same rounds')
  return spreadOf(numerators.map((numerator, round) => numerator / (denominators[round] ?? Number.NaN)))
}
