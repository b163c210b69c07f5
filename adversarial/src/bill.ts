import { z } from 'zod'

const licence = z.union([
  z.object({ license: z.union([z.object({ id: z.string() }), z.object({ name: z.string() })]) }),
  z.object({ expression: z.string() }),
])
const component = z.looseObject({
  group: z.string().optional(),
  name: z.string(),
  version: z.string(),
  purl: z.string(),
  licenses: z.array(licence).optional(),
})
const bill = z.looseObject({ bomFormat: z.literal('CycloneDX'), components: z.array(component) })
/** Packages by licence, as `pnpm licenses list --json` gives them. */
const listing = z.record(z.string(), z.array(z.object({ name: z.string(), versions: z.array(z.string()) })))

/** A bill of materials in CycloneDX, as `pnpm sbom` makes it; what is not named here stays as it is. */
export type Bill = z.infer<typeof bill>
/** A package in a bill. */
export type Component = Bill['components'][number]

/** Reads a bill. @throws ZodError for what is none */
export const readBill = (json: unknown): Bill => bill.parse(json)

/** The name a package is installed by. */
export const nameOf = ({ group, name }: Component): string => (group === undefined ? name : `${group}/${name}`)

/** The licences of a component in one SPDX expression; empty where nothing says it. */
export function licenceOf({ licenses = [] }: Component): string {
  const each = licenses.map((entry) => {
    if ('expression' in entry) return `(${entry.expression})`
    return 'id' in entry.license ? entry.license.id : entry.license.name
  })
  return each.join(' AND ').replace(/^\(([^()]*)\)$/, '$1')
}

/**
 * Gives components that have no licence in the bill the one that `pnpm licenses` reads: packages of old say it in another
 * field (`licenses`) of their package.json, which `pnpm sbom` does not look at.
 */
export function addLicences(of: Bill, listed: unknown): Bill {
  const known = new Map(
    Object.entries(listing.parse(listed)).flatMap(([expression, packages]) =>
      packages.flatMap(({ name, versions }) => versions.map((version) => [`${name}@${version}`, expression] as const)),
    ),
  )
  const complete = (entry: Component): Component => {
    const expression = known.get(`${nameOf(entry)}@${entry.version}`)
    if (entry.licenses?.length || expression === undefined || expression === 'Unknown') return entry
    return { ...entry, licenses: [{ expression }] }
  }
  return { ...of, components: of.components.map(complete) }
}

/** Packages that every machine needs, and that are not in the bill of this one: it is not whole. */
export function findMissing(of: Bill, needed: Bill): string[] {
  const there = new Set(of.components.map(({ purl }) => purl))
  return needed.components.map(({ purl }) => purl).filter((purl) => !there.has(purl))
}
