import { StackError } from './errors.ts'
import { findProgram, installWithApt, type ProgramSearch } from './programs.ts'

/** How Redis can be run here: a program on this machine, or an image in Docker. */
export type RedisRuntime = { kind: 'program'; path: string } | { kind: 'docker'; image: string }

const servers = ['redis-server', 'valkey-server'] as const

const howToInstall = `No Redis was found: neither redis-server nor valkey-server is on PATH, and Docker does not answer. Install one:
  macOS          brew install redis
  Debian/Ubuntu  sudo apt-get install redis-server
  Fedora/RHEL    sudo dnf install valkey
  Arch           sudo pacman -S valkey
  Alpine         sudo apk add redis
  anywhere       start Docker; the image redis:7 is then used
or point REDIS_URL (with DATABASE_URL and SUPABASE_URL) at servers of your own.`

/** Finds Redis: on PATH, else Docker, else installs it where that needs no question (root on Debian/Ubuntu), else says how. */
export const findRedis = (search: ProgramSearch): RedisRuntime => {
  const installed = findProgram(search, servers)
  if (installed !== null) return { kind: 'program', path: installed }
  if (findProgram(search, ['docker']) !== null && search.run('docker', ['info']))
    return { kind: 'docker', image: 'redis:7' }
  const fromApt = installWithApt(search, 'redis-server') ? findProgram(search, servers) : null
  if (fromApt !== null) return { kind: 'program', path: fromApt }
  throw new StackError(howToInstall)
}
