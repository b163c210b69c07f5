import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { AdversarialError } from './adversarial-error.ts'
import { addLicences, type Bill, findMissing, licenceOf, nameOf, readBill } from './bill.ts'
import type { Finding } from './finding.ts'
import { judgeAudit } from './judge-audit.ts'
import { judgeLicences, type LicenceRow } from './judge-licences.ts'
import { runPnpm } from './run-pnpm.ts'

const SBOM = ['sbom', '--sbom-format', 'cyclonedx', '--sbom-type', 'application']
const SHOWN = 10

/** Packages that the project stands on: a bill of materials (CycloneDX), their licences, what the registry knows of them. */
export async function checkSupplies(root: string, results: string): Promise<Finding[]> {
  const bill = addLicences(
    readBill(await ask(root, ...SBOM)),
    await ask(root, 'licenses', 'list', '--recursive', '--json'),
  )
  // What is not optional is installed everywhere; optional packages are there for the machines that they are made for.
  const needed = readBill(await ask(root, ...SBOM, '--lockfile-only', '--no-optional'))
  const rows = judgeLicences(
    bill.components.map((entry) => ({ name: nameOf(entry), version: entry.version, licence: licenceOf(entry) })),
  )
  await mkdir(results, { recursive: true })
  await writeFile(join(results, 'sbom.cdx.json'), `${JSON.stringify(bill, null, 2)}\n`)
  await writeFile(join(results, 'licences.md'), renderLicences(rows))
  const { stdout, stderr } = await runPnpm(['audit', '--json', '--config.fetchRetries=1'], root)
  return [judgeBill(bill, needed), judgeRows(rows), judgeAudit(stdout || stderr)]
}

async function ask(root: string, ...args: string[]): Promise<unknown> {
  const { code, stdout, stderr } = await runPnpm(args, root)
  if (code !== 0) throw new AdversarialError(`pnpm ${args.join(' ')} failed: ${stderr}`)
  return JSON.parse(stdout)
}

function judgeBill(bill: Bill, needed: Bill): Finding {
  const missing = findMissing(bill, needed)
  const isWhole = bill.components.length > 0 && missing.length === 0
  const text = isWhole
    ? `${bill.components.length} components installed here, in adversarial/results/sbom.cdx.json`
    : `not in the bill: ${missing.slice(0, SHOWN).join(', ') || 'everything'}`
  return { name: 'sbom', verdict: isWhole ? 'good' : 'bad', text }
}

function judgeRows(rows: readonly LicenceRow[]): Finding {
  const bad = rows.filter(({ isGood }) => !isGood)
  const isGood = rows.length > 0 && bad.length === 0
  const text = bad.map(({ licence, packages }) => `${licence}: ${packages.slice(0, SHOWN).join(', ')}`).join('; ')
  const kinds = rows.map(
    ({ licence, packages, reason }) => `${packages.length} ${licence}${reason && ' (an exception)'}`,
  )
  return { name: 'licences', verdict: isGood ? 'good' : 'bad', text: text || kinds.join(', ') }
}

function renderLicences(rows: readonly LicenceRow[]): string {
  const lines = rows.map(({ licence, packages, isGood, reason }) => {
    const verdict = isGood ? reason || 'good' : '**not allowed**'
    return `| ${licence} | ${packages.length} | ${verdict} | ${packages.join(', ')} |`
  })
  return ['# Licences', '', '| licence | packages | | which |', '| --- | --: | --- | --- |', ...lines, ''].join('\n')
}
