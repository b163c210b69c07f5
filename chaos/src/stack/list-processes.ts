import { readdirSync, readFileSync } from 'node:fs'

/** A living process. */
export interface ProcessEntry {
  readonly pid: number
  readonly parent: number
  readonly command: string
}

/** All processes of the machine that can be seen; none where the system has no /proc. */
export function listProcesses(): ProcessEntry[] {
  if (process.platform !== 'linux') return []
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        const stat = readFileSync(`/proc/${name}/stat`, 'utf8')
        const [state, parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
        const command = readFileSync(`/proc/${name}/cmdline`, 'utf8').replaceAll('\0', ' ').trim()
        return state === 'Z' ? [] : [{ pid: Number(name), parent: Number(parent), command }]
      } catch {
        // It has ended since it was listed.
        return []
      }
    })
}

/** A process and all below it. */
export function familyOf(pid: number, all: readonly ProcessEntry[] = listProcesses()): number[] {
  const children = all.filter(({ parent }) => parent === pid)
  return [pid, ...children.flatMap((child) => familyOf(child.pid, all))]
}
