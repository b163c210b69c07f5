import { z } from 'zod'

/** What `pnpm licenses list --json` says: packages by licence. */
const listing = z.record(z.string(), z.array(z.object({ name: z.string(), versions: z.array(z.string()) })))

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

/** Others, looked at one by one: used as they are and never changed, or at the workbench alone. */
const EXCEPTIONS: ReadonlyMap<string, string> = new Map([
  ['MPL-2.0', 'axe-core and lightningcss: unchanged, at the workbench alone'],
])

/** Licences and the packages under them, each with whether it may be used. */
export interface LicenceRow {
  readonly licence: string
  readonly packages: readonly string[]
  readonly isGood: boolean
  readonly note: string
}

/** Judges a listing. A choice (`A OR B`) is good when one of them is, a sum (`A AND B`) when all are. */
export function judgeLicences(json: unknown): LicenceRow[] {
  return Object.entries(listing.parse(json))
    .map(([licence, packages]) => ({
      licence,
      packages: packages.map(({ name }) => name).sort(),
      isGood: isGood(licence),
      note: EXCEPTIONS.get(licence) ?? '',
    }))
    .sort((a, b) => b.packages.length - a.packages.length || a.licence.localeCompare(b.licence))
}

function isGood(expression: string): boolean {
  const plain = expression.replace(/^\((.*)\)$/, '$1')
  if (/ OR /.test(plain)) return plain.split(' OR ').some(isGood)
  if (/ AND /.test(plain)) return plain.split(' AND ').every(isGood)
  return GOOD.has(plain) || EXCEPTIONS.has(plain)
}
