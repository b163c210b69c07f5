import { readdirSync, readFileSync } from 'node:fs'

// Linux counts in hundredths of a second, whatever the kernel's own tick is (USER_HZ).
const US_PER_TICK = 10_000

interface ProcessTimes {
  readonly parent: number
  readonly ownUs: number
  /** Of children that have ended and were waited for. */
  readonly endedUs: number
}

/**
 * Processor time that a process and its living and ended children have used so far, in µs; undefined where the system
 * does not say. Unlike the clock on the wall it does not move with what else the machine does.
 */
export function readCpuUs(pid: number | null): number | undefined {
  if (pid === null || process.platform !== 'linux') return undefined
  const own = readTimes(pid)
  if (own === undefined) return undefined
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name))
  const children = pids.map((name) => readTimes(Number(name))).filter((times) => times?.parent === pid)
  return children.reduce((sum, child) => sum + (child?.ownUs ?? 0), own.ownUs + own.endedUs)
}

function readTimes(pid: number): ProcessTimes | undefined {
  try {
    return parseStat(readFileSync(`/proc/${pid}/stat`, 'utf8'))
  } catch {
    // It has ended since it was listed.
    return undefined
  }
}

/** Reads a line of /proc/<pid>/stat (proc(5)); the program's name in it may hold blanks and parentheses. */
export function parseStat(line: string): ProcessTimes {
  const fields = line.slice(line.lastIndexOf(')') + 2).split(' ')
  const field = (number: number) => Number(fields[number - 3])
  return {
    parent: field(4),
    ownUs: (field(14) + field(15)) * US_PER_TICK,
    endedUs: (field(16) + field(17)) * US_PER_TICK,
  }
}
