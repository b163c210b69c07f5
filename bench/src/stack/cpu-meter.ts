import type { Stack } from '@tollgate/local-stack'
import { readCpuUs } from './read-cpu.ts'

/** Processor time in µs by process. */
export type CpuTimes = Readonly<Record<string, number>>

/** Tells how much processor time each process of the stack, and the load generator itself, has used so far. */
export type CpuMeter = () => CpuTimes

/** Makes a meter; where the system does not say, a process is left out. */
export function createCpuMeter({ services, postgres, redis }: Stack): CpuMeter {
  const processes = [...Object.values(services), postgres, redis]
  return () => {
    const { user, system } = process.cpuUsage()
    const entries = processes.flatMap(({ name, pid }) => {
      const usedUs = readCpuUs(pid)
      return usedUs === undefined ? [] : [[name, usedUs] as const]
    })
    return { ...Object.fromEntries(entries), 'load generator': user + system }
  }
}

/** What was used between two readings. */
export function subtract(after: CpuTimes, before: CpuTimes): CpuTimes {
  return Object.fromEntries(Object.entries(after).map(([name, usedUs]) => [name, usedUs - (before[name] ?? usedUs)]))
}
