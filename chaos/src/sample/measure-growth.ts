/** A measured value and when it was measured. */
export type Point = readonly [atSeconds: number, value: number]

const MOST_POINTS = 400

/**
 * By how much a value has grown over the time of its points: the median of the slopes between any two of them (Theil–Sen),
 * times the whole length. Single outliers, such as a restart or a burst, do not move it.
 */
export function measureGrowth(points: readonly Point[]): number {
  const step = Math.max(1, Math.ceil(points.length / MOST_POINTS))
  const chosen = points.filter((_, index) => index % step === 0)
  const slopes = chosen.flatMap(([at, value], index) =>
    chosen.slice(index + 1).map(([later, other]) => (other - value) / (later - at)),
  )
  const [first, last] = [chosen[0], chosen.at(-1)]
  if (slopes.length === 0 || first === undefined || last === undefined) return 0
  return median(slopes) * (last[0] - first[0])
}

/** The middle one; 0 of none. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((one, other) => one - other)
  const middle = Math.floor(sorted.length / 2)
  const upper = sorted[middle] ?? 0
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? upper)) / 2
}
