import { spawnSync } from 'node:child_process'
import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'
import { StackError } from './errors.ts'

/** How Redis can be run here: a program on this machine, or an image in Docker. */
export type RedisRuntime = { kind: 'program'; path: string } | { kind: 'docker'; image: string }

/** What the search may use; tests hand in their own. */
export type RedisSearch = {
  path: string
  /** Looked through after `path`: Debian puts servers where the PATH of an ordinary user may not lead. */
  systemPath: readonly string[]
  isRoot: boolean
  run: (command: string, args: readonly string[], options?: { show?: boolean }) => boolean
  log: (line: string) => void
}

const isProgram = (file: string): boolean => {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false
  }
}

/** First of `names` that can be executed in one of the directories of `path`. */
export const findOnPath = (names: readonly string[], path: string): string | null => {
  const directories = path.split(delimiter).filter((directory) => directory !== '')
  for (const name of names) {
    const found = directories.map((directory) => join(directory, name)).find(isProgram)
    if (found !== undefined) return found
  }
  return null
}

const servers = ['redis-server', 'valkey-server'] as const

const howToInstall = `No Redis was found: neither redis-server nor valkey-server is on PATH, and Docker does not answer. Install one:
  macOS          brew install redis
  Debian/Ubuntu  sudo apt-get install redis-server
  Fedora/RHEL    sudo dnf install valkey
  Arch           sudo pacman -S valkey
  Alpine         sudo apk add redis
  anywhere       start Docker; the image redis:7 is then used
or point REDIS_URL (with DATABASE_URL and SUPABASE_URL) at servers of your own.`

const installWithApt = (search: RedisSearch): boolean => {
  if (!search.isRoot || findOnPath(['apt-get'], search.path) === null) return false
  search.log('Redis is missing: installing redis-server with apt-get …')
  search.run('apt-get', ['update', '-qq'])
  return search.run('apt-get', ['install', '-y', '-qq', '--no-install-recommends', 'redis-server'], { show: true })
}

/** Finds Redis: on PATH, else Docker, else installs it where that needs no question (root on Debian/Ubuntu), else says how. */
export const findRedis = (search: RedisSearch): RedisRuntime => {
  const path = [search.path, ...search.systemPath].join(delimiter)
  const installed = findOnPath(servers, path)
  if (installed !== null) return { kind: 'program', path: installed }
  if (findOnPath(['docker'], path) !== null && search.run('docker', ['info']))
    return { kind: 'docker', image: 'redis:7' }
  const fromApt = installWithApt({ ...search, path }) ? findOnPath(servers, path) : null
  if (fromApt !== null) return { kind: 'program', path: fromApt }
  throw new StackError(howToInstall)
}

/** The search on this machine. RUNLEVEL=1 keeps Debian's package from starting a Redis of its own. */
export const thisMachine = (env: NodeJS.ProcessEnv, log: (line: string) => void): RedisSearch => ({
  path: env.PATH ?? '',
  systemPath: ['/usr/local/sbin', '/usr/sbin'],
  isRoot: process.getuid?.() === 0,
  log,
  run: (command, args, options) => {
    const output = options?.show === true ? ['ignore', 'ignore', 'inherit'] : 'ignore'
    const childEnv = { ...env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' }
    return spawnSync(command, args, { stdio: output as 'ignore', env: childEnv, timeout: 300_000 }).status === 0
  },
})
