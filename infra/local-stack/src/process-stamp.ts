import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

const linuxStamp = (pid: number): string | null => {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // The command's name (field 2) may hold spaces and parentheses: count from behind the last one.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    const [state, startTicks] = [fields[0], fields[19]]
    if (state === 'Z' || state === 'X' || startTicks === undefined) return null
    return `${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()}:${startTicks}`
  } catch {
    return null
  }
}

const psStamp = (pid: number): string | null => {
  const ps = spawnSync('ps', ['-o', 'stat=,lstart=', '-p', String(pid)], { encoding: 'utf8' })
  const line = ps.status === 0 ? ps.stdout.trim() : ''
  return line === '' || line.startsWith('Z') ? null : line.replace(/^\S+\s+/, '')
}

/**
 * When a process began, as a text that stays the same for its whole life; null when it does not live.
 * A process id together with this stamp can not be mistaken for a later process that was given the same id.
 */
export const processStamp = (pid: number): string | null =>
  process.platform === 'linux' ? linuxStamp(pid) : psStamp(pid)
