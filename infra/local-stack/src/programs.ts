import { spawnSync } from 'node:child_process'
import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'

/** What the search for a program may use; tests hand in their own. */
export type ProgramSearch = {
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

/** First of `names` on the path of `search` or where the system keeps servers. */
export const findProgram = (search: ProgramSearch, names: readonly string[]): string | null =>
  findOnPath(names, [search.path, ...search.systemPath].join(delimiter))

/** Installs a Debian package where that needs no question (root on Debian/Ubuntu); says whether it is there now. */
export const installWithApt = (search: ProgramSearch, debianPackage: string): boolean => {
  if (!search.isRoot || findProgram(search, ['apt-get']) === null) return false
  search.log(`Installing ${debianPackage} with apt-get …`)
  search.run('apt-get', ['update', '-qq'])
  return search.run('apt-get', ['install', '-y', '-qq', '--no-install-recommends', debianPackage], { show: true })
}

/** The search on this machine. RUNLEVEL=1 keeps Debian's packages from starting servers of their own. */
export const thisMachine = (env: NodeJS.ProcessEnv, log: (line: string) => void): ProgramSearch => ({
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
