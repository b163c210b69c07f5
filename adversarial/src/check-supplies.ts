import { execFile } from 'node:child_process'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { judgeAudit } from './judge-audit.ts'
import { judgeLicences } from './judge-licences.ts'

/** One line of the result. */
export interface Finding {
  readonly name: string
  readonly isGood: boolean
  readonly text: string
}

/** What a command printed, whatever its exit code. */
function read(command: string, args: readonly string[], cwd: string): Promise<string> {
  return new Promise((resolve) => {
    execFile(command, args, { cwd, maxBuffer: 64 * 1024 * 1024 }, (_error, stdout, stderr) => resolve(stdout || stderr))
  })
}

/** Packages that the project stands on: a bill of materials (CycloneDX), their licences, what the registry knows of them. */
export async function checkSupplies(root: string, results: string): Promise<Finding[]> {
  await mkdir(results, { recursive: true })
  const pnpm = (...args: string[]) => read('npx', ['-y', 'pnpm@12', ...args], root)
  const bill = join(results, 'sbom.cdx.json')
  await pnpm('sbom', '--sbom-format', 'cyclonedx', '--sbom-type', 'application', '--lockfile-only', '--out', bill)
  const { components } = await import(bill, { with: { type: 'json' } }).then(
    ({ default: document }: { default: { components: unknown[] } }) => document,
    () => ({ components: [] }),
  )
  const licences = judgeLicences(JSON.parse(await pnpm('licenses', 'list', '--recursive', '--json')))
  const refused = licences.filter(({ isGood }) => !isGood)
  const audit = judgeAudit(await pnpm('audit', '--json'))
  const kinds = licences.map(({ licence, packages }) => `${packages.length} ${licence}`).join(', ')
  return [
    { name: 'sbom', isGood: components.length > 0, text: `${components.length} components in ${bill}` },
    {
      name: 'licences',
      isGood: licences.length > 0 && refused.length === 0,
      text: refused.map(({ licence, packages }) => `${licence}: ${packages.join(', ')}`).join('; ') || kinds,
    },
    {
      name: 'audit',
      isGood: audit.asked ? audit.isGood : true,
      text: audit.asked ? JSON.stringify(audit.known) : `NOT ASKED: the registry has no answer (${audit.why})`,
    },
  ]
}
