import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { basename } from 'node:path'
import { processStamp } from './process-stamp.ts'

/** A process's parent and command line. */
export type ProcessInfo = { parent: number; command: readonly string[] }

const fromProc = (pid: number): ProcessInfo => {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8')
  const parent = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1])
  return { parent, command: command.split(/[\0 ]/).filter((word) => word !== '') }
}

const fromPs = (pid: number): ProcessInfo => {
  const ps = spawnSync('ps', ['-o', 'ppid=,command=', '-p', String(pid)], { encoding: 'utf8' })
  const [parent, ...command] = ps.stdout.trim().split(/\s+/)
  return { parent: Number(parent), command }
}

/** Looks up a living process; null when it can not be seen. */
const lookUpProcess = (pid: number): ProcessInfo | null => {
  try {
    return process.platform === 'linux' ? fromProc(pid) : fromPs(pid)
  } catch {
    return null
  }
}

const shells = new Set(['sh', 'bash', 'dash', 'ash', 'zsh'])

const isPackageManager = ([program = '', script = '']: readonly string[]): boolean => {
  const name = basename(program) === 'node' ? basename(script) : basename(program)
  return /^(npm|npx|pnpm|pnpx)\b/.test(name)
}

/**
 * The package managers above `parent`, with the shells between them: `npx` → `sh` → `pnpm` → `sh` → us. A shell on top of them is
 * somebody's script or terminal, and is not among them.
 */
export const findLaunchers = (parent: number, lookUp: (pid: number) => ProcessInfo | null): number[] => {
  const chain: number[] = []
  let launchers: number[] = []
  for (let pid = parent, info = lookUp(pid); pid > 1 && info !== null; pid = info.parent, info = lookUp(pid)) {
    chain.push(pid)
    if (isPackageManager(info.command)) launchers = [...chain]
    else if (!shells.has(basename(info.command[0] ?? ''))) break
  }
  return launchers
}

/**
 * Calls `onGone` once when a package manager that launched us has ended: killed ones do not pass their signal on, and a stack that
 * nobody sees any more must not stay. Returns what ends the watch.
 */
export const watchLaunchers = (onGone: () => void, intervalMs = 1000): (() => void) => {
  const launchers = findLaunchers(process.ppid, lookUpProcess)
  if (launchers.length === 0) return () => {}
  const timer = setInterval(() => {
    if (launchers.every((pid) => processStamp(pid) !== null)) return
    clearInterval(timer)
    onGone()
  }, intervalMs)
  timer.unref()
  return () => clearInterval(timer)
}
