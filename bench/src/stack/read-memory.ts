import { readFileSync } from 'node:fs'

/** The memory that a process has now, in MB; undefined where the system does not say. */
export function readMemoryMb(pid: number | null): number | undefined {
  return readStatus(pid, /^VmRSS:\s+(\d+) kB$/m)
}

/** The most memory that a process has had at a time, in MB; undefined where the system does not say. */
export function readPeakMemoryMb(pid: number | null): number | undefined {
  return readStatus(pid, /^VmHWM:\s+(\d+) kB$/m)
}

function readStatus(pid: number | null, line: RegExp): number | undefined {
  if (pid === null || process.platform !== 'linux') return undefined
  const found = line.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
  return found === undefined ? undefined : Number(found) / 1_000
}
