/** Returns numbers in [0, 1). */
export type Random = () => number

/**
 * mulberry32 (Tommy Ettinger, public domain): the same seed gives the same numbers on every machine, which
 * Math.random does not promise. Not for secrets.
 */
export function createRandom(seed: number): Random {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** Something to choose, and how often against the others. */
export interface Weighted<T> {
  readonly weight: number
  readonly value: T
}

/** Chooses one of `choices` by weight; the list must not be empty. */
export function chooseWeighted<T>(random: Random, choices: readonly Weighted<T>[]): T {
  const total = choices.reduce((sum, { weight }) => sum + weight, 0)
  let left = random() * total
  for (const { weight, value } of choices) {
    left -= weight
    if (left < 0) return value
  }
  const last = choices.at(-1)
  if (!last) throw new RangeError('there is nothing to choose from')
  return last.value
}
