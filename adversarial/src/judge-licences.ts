import parseExpression from 'spdx-expression-parse'

/** A package and what it says of its licence: an SPDX expression, or nothing. */
export interface Licensed {
  readonly name: string
  readonly version: string
  readonly licence: string
}

/** A licence, the packages under it, and whether they may be used. */
export interface LicenceRow {
  readonly licence: string
  /** `name@version`, sorted. */
  readonly packages: readonly string[]
  readonly isGood: boolean
  /** Why it is good although the licence is not one for everybody. */
  readonly reason: string
}

/** Licences that a program under the MIT licence may be built from and run with, without a duty beyond naming them. */
const GOOD: ReadonlySet<string> = new Set([
  '0BSD',
  'Apache-2.0',
  'BlueOak-1.0.0',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'CC0-1.0',
  'ISC',
  'MIT',
  'MIT-0',
  'PostgreSQL',
  'Python-2.0',
  'Unlicense',
])

/** Packages under others, or under none that is known, each looked at by somebody. */
const EXCEPTIONS: readonly { names: RegExp; licence: string; reason: string }[] = [
  { names: /^axe-core$/, licence: 'MPL-2.0', reason: 'unchanged, and in tests alone' },
  { names: /^lightningcss(-|$)/, licence: 'MPL-2.0', reason: 'unchanged, and where the dashboard is built alone' },
  { names: /^spdx-exceptions$/, licence: 'CC-BY-3.0', reason: 'a list of names, read by this check alone' },
]

type Expression = ReturnType<typeof parseExpression>

/** Judges packages by licence, the most frequent first. A licence that is unknown is bad unless its package is an exception. */
export function judgeLicences(packages: readonly Licensed[]): LicenceRow[] {
  const rows = new Map<string, LicenceRow>()
  for (const { name, version, licence } of packages) {
    const reason = EXCEPTIONS.find((one) => one.licence === licence && one.names.test(name))?.reason ?? ''
    const isGood = reason !== '' || isAllowed(licence)
    const key = [licence, isGood, reason].join('\n')
    const row = rows.get(key) ?? { licence: licence || 'unknown', packages: [], isGood, reason }
    rows.set(key, { ...row, packages: [...row.packages, `${name}@${version}`].sort() })
  }
  return [...rows.values()].sort((a, b) => b.packages.length - a.packages.length || a.licence.localeCompare(b.licence))
}

function isAllowed(licence: string): boolean {
  try {
    return isGoodExpression(parseExpression(licence))
  } catch {
    // No expression of SPDX (https://spdx.github.io/spdx-spec): whatever it means, nobody has looked at it.
    return false
  }
}

/** A choice (`A OR B`) is good when one of them is, a sum (`A AND B`) when both are. */
function isGoodExpression(expression: Expression): boolean {
  if ('license' in expression) return GOOD.has(expression.license)
  const each = [expression.left, expression.right].map(isGoodExpression)
  return expression.conjunction === 'or' ? each.includes(true) : !each.includes(false)
}
