import { findProgram, thisMachine } from '@tollgate/local-stack'
import { ChaosError } from '../chaos-error.ts'
import { findNft } from './lose-packets.ts'

const PROGRAMS = ['mount', 'umount', 'mkfs.ext4', 'fallocate', 'truncate'] as const

/** Makes sure that a privileged run can do what it plans. @throws ChaosError which says what is missing */
export function requirePrivileges(log: (line: string) => void): void {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) {
    throw new ChaosError('--privileged mounts disks and drops packets: it needs root on Linux.')
  }
  const search = thisMachine(process.env, log)
  const missing: string[] = PROGRAMS.filter((name) => findProgram(search, [name]) === null)
  if (findNft(log) === null) missing.push('nft')
  if (missing.length > 0) throw new ChaosError(`--privileged needs ${missing.join(', ')}.`)
}
