import { OTHER } from './stack.ts'

const COLOURS = 7
/** Drawn over the colours once each of them is taken (style.css). */
const PATTERNS = ['', ' striped', ' crossed'] as const
const LOOKS = COLOURS * PATTERNS.length

/**
 * The classes of each shown group, by its name and not by its rank, so that it looks the same in every view. Names that meet
 * in one colour are told apart in the order of all that are known: `known` is of everything, whatever is shown of it, the
 * largest first. Who is not among its largest takes what those that are shown leave.
 */
export function chooseLooks(known: readonly string[], shown: readonly string[]): ReadonlyMap<string, string> {
  const held = settle(known.slice(0, LOOKS), new Map())
  const named = shown.filter((name) => name !== OTHER)
  const kept = new Map([...held].filter(([name]) => named.includes(name)))
  const looks = settle(
    named.filter((name) => !held.has(name)),
    kept,
  )
  return new Map(shown.map((name) => [name, name === OTHER ? 'c-other' : classOf(looks.get(name) ?? 0)]))
}

// Each name begins at the colour that it means and goes on to the next that is free, with a pattern once all are taken.
function settle(names: readonly string[], before: ReadonlyMap<string, number>): ReadonlyMap<string, number> {
  const looks = new Map(before)
  const taken = new Set(looks.values())
  for (const name of [...names].sort()) {
    const first = hash(name)
    const turns = Array.from(
      { length: LOOKS },
      (_, turn) => ((first + turn) % COLOURS) + COLOURS * Math.floor(turn / COLOURS),
    )
    const look = turns.find((free) => !taken.has(free)) ?? first % COLOURS
    taken.add(look)
    looks.set(name, look)
  }
  return looks
}

const classOf = (look: number): string => `c-${look % COLOURS}${PATTERNS[Math.floor(look / COLOURS)] ?? ''}`

// FNV-1a: names that differ in their last letter alone are far apart.
const hash = (name: string): number =>
  [...name].reduce((sum, letter) => Math.imul(sum ^ (letter.codePointAt(0) ?? 0), 0x01000193) >>> 0, 0x811c9dc5)
