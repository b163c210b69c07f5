import { readFileSync } from 'node:fs'

/** The most memory that a process has had at a time, in MB; undefined where the system does not say. */
export function readPeakMemoryMb(pid: number | null): number | undefined {
  if (pid === null || process.platform !== 'linux') return undefined
  const peak = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
  return peak === undefined ? undefined : Number(peak) / 1_000
}
