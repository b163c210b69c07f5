import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { runPnpm } from '../src/run-pnpm.ts'

const SETTINGS = resolve(import.meta.dirname, '../../pnpm-workspace.yaml')
const NAME = 'trojan'
const HOUR_MS = 3_600_000

let dir: string
let registry: Server
let settings: string

/** What an attacker publishes: a package whose installation runs a script, which leaves a mark in its directory. */
async function packTrojan(): Promise<Buffer> {
  const source = join(dir, 'packed')
  await mkdir(join(source, 'package'), { recursive: true })
  const scripts = { postinstall: "node -e \"require('node:fs').writeFileSync('mark', String())\"" }
  await writeFile(join(source, 'package/package.json'), JSON.stringify({ name: NAME, version: '1.0.0', scripts }))
  await promisify(execFile)('tar', ['czf', join(dir, 'trojan.tgz'), '-C', source, 'package'])
  return readFile(join(dir, 'trojan.tgz'))
}

/** A registry that has published it an hour ago. */
async function startRegistry(tarball: Buffer): Promise<Server> {
  const at = new Date(Date.now() - HOUR_MS).toISOString()
  const integrity = `sha512-${createHash('sha512').update(tarball).digest('base64')}`
  const server = createServer((request, response) => {
    const { port } = server.address() as AddressInfo
    if (request.url?.endsWith('.tgz')) return response.end(tarball)
    response.setHeader('content-type', 'application/json')
    if (request.url !== `/${NAME}`) return response.writeHead(404).end('{}')
    const dist = { tarball: `http://127.0.0.1:${port}/${NAME}/-/${NAME}-1.0.0.tgz`, integrity }
    const versions = { '1.0.0': { name: NAME, version: '1.0.0', hasInstallScript: true, dist } }
    const time = { created: at, modified: at, '1.0.0': at }
    return response.end(JSON.stringify({ name: NAME, 'dist-tags': { latest: '1.0.0' }, modified: at, time, versions }))
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  return server
}

/** A project under these settings that depends on it; with what its installation says and leaves. */
async function install(name: string, workspace: string, lockfile?: string) {
  const cwd = join(dir, name)
  await mkdir(cwd)
  await writeFile(join(cwd, 'package.json'), JSON.stringify({ name, dependencies: { [NAME]: '1.0.0' } }))
  await writeFile(join(cwd, 'pnpm-workspace.yaml'), workspace)
  if (lockfile !== undefined) await writeFile(join(cwd, 'pnpm-lock.yaml'), lockfile)
  const { port } = registry.address() as AddressInfo
  const own = [
    `--registry=http://127.0.0.1:${port}/`,
    `--store-dir=${join(dir, 'store')}`,
    `--cache-dir=${join(dir, 'cache')}`,
  ]
  const run = await runPnpm(
    ['install', lockfile === undefined ? '--no-frozen-lockfile' : '--frozen-lockfile', ...own],
    cwd,
  )
  const at = join(cwd, 'node_modules', NAME)
  return {
    said: run.stdout + run.stderr,
    isThere: existsSync(at),
    hasRun: existsSync(join(at, 'mark')),
    readLockfile: () => readFile(join(cwd, 'pnpm-lock.yaml'), 'utf8'),
  }
}

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'tollgate-registry-'))
  settings = await readFile(SETTINGS, 'utf8')
  registry = await startRegistry(await packTrojan())
})
afterAll(async () => {
  registry?.close()
  await rm(dir, { recursive: true, force: true })
})

test('a release of an hour ago is not taken under the settings of this repository, not even out of a lockfile', async () => {
  const fresh = await install('fresh', settings)
  expect(fresh.said).toContain('minimumReleaseAge')
  expect(fresh.isThere).toBe(false)

  // Without that one setting it comes in, and only its script is held back: the refusal above is of the age alone.
  const ageless = settings.replace(/^minimumReleaseAge: \d+$/m, 'minimumReleaseAge: 0')
  expect(ageless).not.toBe(settings)
  const taken = await install('ageless', ageless)
  expect(taken).toMatchObject({ isThere: true, hasRun: false })
  expect(taken.said).toContain(`Ignored build scripts: ${NAME}@1.0.0`)

  const locked = await install('locked', settings, await taken.readLockfile())
  expect(locked.said).toContain('MINIMUM_RELEASE_AGE_VIOLATION')
  expect(locked.isThere).toBe(false)

  // Somebody who names it lets its script run: it is held back by `allowBuilds`, and not because it cannot run.
  const trusting = await install('trusting', ageless.replace(/^allowBuilds:$/m, `allowBuilds:\n  ${NAME}: true`))
  expect(trusting).toMatchObject({ isThere: true, hasRun: true })
})
