import { spawn } from 'node:child_process'
import { closeSync, fstatSync, mkdirSync, openSync, readFileSync, renameSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { StackError } from './errors.ts'
import { processStamp } from './process-stamp.ts'
import { shortenLogLine } from './shorten-log-line.ts'

/** A long-lived program to start; its output goes to `logFile`. */
export type ChildSpec = {
  name: string
  command: string
  args: readonly string[]
  logFile: string
  cwd?: string
  env?: NodeJS.ProcessEnv
  uid?: number
  gid?: number
}

/** How a child ended. */
export type ChildExit = { code: number | null; signal: NodeJS.Signals | null }

/** A started program. `exited` settles when it has ended, whoever ended it. */
export type Child = {
  readonly name: string
  readonly pid: number
  readonly logFile: string
  /** The last lines of what this child, not an earlier one, wrote to its log; shortened for people. */
  lastLines(count?: number): string
  readonly exited: Promise<ChildExit>
  exit(): ChildExit | null
  kill(signal: NodeJS.Signals): void
}

/** Told about each child that lives, so that a record of them survives the death of this process. */
export type ChildRegistry = {
  added(child: { name: string; pid: number; stamp: string }): void
  removed(pid: number): void
}

const keepLogBytes = 20_000_000

const openLog = (file: string): number => {
  mkdirSync(dirname(file), { recursive: true })
  if ((statSync(file, { throwIfNoEntry: false })?.size ?? 0) > keepLogBytes) renameSync(file, `${file}.1`)
  return openSync(file, 'a', 0o600)
}

const readLastLines = (logFile: string, from: number, count: number): string => {
  try {
    return readFileSync(logFile)
      .subarray(from)
      .toString()
      .trimEnd()
      .split('\n')
      .slice(-count)
      .map(shortenLogLine)
      .join('\n')
  } catch {
    return ''
  }
}

/** Starts a program in a session of its own: a Ctrl-C in the terminal reaches this process only, which then stops children in order. */
export const startChild = async (spec: ChildSpec, registry?: ChildRegistry): Promise<Child> => {
  const log = openLog(spec.logFile)
  const logStart = fstatSync(log).size
  const { command, args, name, logFile, cwd, env, uid, gid } = spec
  const user = { ...(uid === undefined ? {} : { uid }), ...(gid === undefined ? {} : { gid }) }
  const child = spawn(command, args, { cwd, env, ...user, detached: true, stdio: ['ignore', log, log] })
  closeSync(log)
  const { pid } = await new Promise<{ pid: number }>((started, failed) => {
    child.once('error', (cause) => failed(new StackError(`${name} could not be started: ${cause.message}`, { cause })))
    child.once('spawn', () => started({ pid: child.pid ?? 0 }))
  })
  registry?.added({ name, pid, stamp: processStamp(pid) ?? '' })
  let ended: ChildExit | null = null
  const exited = new Promise<ChildExit>((done) => {
    child.once('exit', (code, signal) => {
      ended = { code, signal }
      registry?.removed(pid)
      done(ended)
    })
  })
  return {
    name,
    pid,
    logFile,
    exited,
    lastLines: (count = 15) => readLastLines(logFile, logStart, count),
    exit: () => ended,
    kill: (signal) => void child.kill(signal),
  }
}

/** One signal of a shutdown and how long the child may take to follow it. */
export type StopStep = readonly [signal: NodeJS.Signals, timeoutMs: number]

/** Sends one signal after the other until the child has ended. */
export const stopChild = async (child: Child, steps: readonly StopStep[]): Promise<ChildExit> => {
  for (const [signal, timeoutMs] of steps) {
    if (child.exit() !== null) break
    child.kill(signal)
    const timer = new AbortController()
    await Promise.race([child.exited, delay(timeoutMs, null, { signal: timer.signal }).catch(() => null)])
    timer.abort()
  }
  if (child.exit() === null) child.kill('SIGKILL')
  return child.exited
}

/** Says in words how a child ended. */
export const describeExit = ({ code, signal }: ChildExit): string =>
  signal === null ? `exit code ${code}` : `signal ${signal}`

/** Asks `probe` until it says yes. Throws with the child's last log lines when the child ends first or time is up. */
export const waitUntilReady = async (
  child: Child,
  probe: () => Promise<boolean>,
  timeoutMs: number,
  intervalMs = 50,
): Promise<void> => {
  const deadline = Date.now() + timeoutMs
  for (;;) {
    const exit = child.exit()
    if (exit !== null) {
      throw new StackError(
        `${child.name} ended while starting (${describeExit(exit)}). Last lines of ${child.logFile}:\n${child.lastLines()}`,
      )
    }
    if (await probe().catch(() => false)) return
    if (Date.now() > deadline) {
      throw new StackError(
        `${child.name} was not ready within ${Math.round(timeoutMs / 1000)} s. Last lines of ${child.logFile}:\n${child.lastLines()}`,
      )
    }
    await Promise.race([child.exited, delay(intervalMs)])
  }
}
