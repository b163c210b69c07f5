import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, test } from 'vitest'
import { freePort } from './ports.ts'
import { chooseProvider } from './provider.ts'

const noServers = { SUPABASE_URL: '', REDIS_URL: '', DATABASE_URL: '' }
const own = { SUPABASE_URL: 'http://a', REDIS_URL: 'redis://b', DATABASE_URL: 'postgres://c' }

describe('chooseProvider', () => {
  it('takes servers of this machine unless something else is asked for', () => {
    expect(chooseProvider({})).toBe('native')
    expect(chooseProvider({ TOLLGATE_STACK: 'native' })).toBe('native')
    expect(chooseProvider({ TOLLGATE_STACK: 'docker' })).toBe('docker')
  })
  it('takes the servers that are named', () => {
    expect(chooseProvider(own)).toBe('external')
    expect(chooseProvider({ ...own, TOLLGATE_STACK: 'external' })).toBe('external')
  })
  it('names what is missing when only some are set', () => {
    expect(() => chooseProvider({ ...own, REDIS_URL: undefined })).toThrow(
      'SUPABASE_URL and DATABASE_URL are set but REDIS_URL is not.',
    )
    expect(() => chooseProvider({ REDIS_URL: 'redis://b' })).toThrow(
      'REDIS_URL is set but SUPABASE_URL and DATABASE_URL are not.',
    )
    expect(chooseProvider({ SUPABASE_URL: '', REDIS_URL: '', DATABASE_URL: '' })).toBe('native')
  })
  it('says what contradicts itself, is missing or unknown', () => {
    expect(() => chooseProvider({ ...own, TOLLGATE_STACK: 'docker' })).toThrow('TOLLGATE_STACK=docker starts servers')
    expect(() => chooseProvider({ TOLLGATE_STACK: 'external' })).toThrow(
      'needs SUPABASE_URL, REDIS_URL and DATABASE_URL',
    )
    expect(() => chooseProvider({ TOLLGATE_STACK: 'podman' })).toThrow('native, docker or external')
  })
})

// Asked of a process of its own: whether an engine answers is looked up once in a process.
test.skipIf(spawnSync('docker', ['info'], { stdio: 'ignore' }).status === 0)(
  'Docker without an engine is refused, with what to do',
  async () => {
    const start = join(import.meta.dirname, 'start.ts')
    const env = { ...process.env, TOLLGATE_STACK: 'docker', ...noServers }
    const dir = mkdtempSync(join(tmpdir(), 'tollgate-provider-'))
    // The usual one may be in use, by a stack of whoever runs this.
    const port = String(await freePort())
    const { status, stderr } = spawnSync(process.execPath, [start, '--port', port, '--dir', dir], {
      env,
      encoding: 'utf8',
    })
    rmSync(dir, { recursive: true })
    expect(stderr).toContain('TOLLGATE_STACK=docker needs a Docker engine, and none answers')
    expect(status).toBe(1)
  },
)
