import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as delay } from 'node:timers/promises'
import { z } from 'zod'
import type { ChildRegistry } from './child.ts'
import { StackError } from './errors.ts'
import { type StackPaths, stackPaths } from './paths.ts'
import { removePostgresData } from './postgres-binaries.ts'
import { processStamp } from './process-stamp.ts'
import { loadSecrets, type StackSecrets, writePrivateFile } from './secrets.ts'

const childShape = z.object({ name: z.string(), pid: z.int().positive(), stamp: z.string() })
const runningShape = z.object({ pid: z.int().positive(), children: z.array(childShape) })

const stateShape = z.object({
  /** Absent until migrations were applied. */
  migrations: z.record(z.string(), z.string()).optional(),
  ports: z.record(z.string(), z.int().positive()).default({}),
})

/** What a stack remembers from one start to the next. */
export type StackState = z.infer<typeof stateShape>

/** A stack's directory while this process alone uses it. */
export type StackDir = {
  paths: StackPaths
  secrets: StackSecrets
  registry: ChildRegistry
  readState(): StackState
  writeState(change: Partial<StackState>): void
  /** Ends at once every child that still lives: for the second Ctrl-C. */
  killAll(): void
  close(): void
}

const readJson = <Shape extends z.ZodType>(file: string, shape: Shape): z.infer<Shape> | null => {
  if (!existsSync(file)) return null
  try {
    return shape.parse(JSON.parse(readFileSync(file, 'utf8')))
  } catch {
    return null
  }
}

/** The operating system releases this lock when the process ends, however it ends. */
const takeLock = (paths: StackPaths): DatabaseSync => {
  const lock = new DatabaseSync(paths.lock)
  try {
    lock.exec('pragma busy_timeout = 200; pragma locking_mode = exclusive; begin exclusive')
    return lock
  } catch (cause) {
    lock.close()
    const owner = readJson(paths.running, runningShape)?.pid ?? 'unknown'
    throw new StackError(
      `A stack is already running in ${paths.dir} (pid ${owner}). Stop it first, or use its stack.json.`,
      {
        cause,
      },
    )
  }
}

type RecordedChild = z.infer<typeof childShape>

const lives = ({ pid, stamp }: RecordedChild): boolean => stamp !== '' && processStamp(pid) === stamp

const signal = (child: RecordedChild, name: NodeJS.Signals): void => {
  try {
    if (lives(child)) process.kill(child.pid, name)
  } catch {
    // It ended between the question and the signal.
  }
}

const waitForEnd = async (child: RecordedChild, timeoutMs: number): Promise<boolean> => {
  for (const deadline = Date.now() + timeoutMs; Date.now() < deadline; await delay(25)) {
    if (!lives(child)) return true
  }
  return !lives(child)
}

/** Ends what a killed `start` left behind: newest first, so that services go before the servers they use. */
export const endOrphans = async (runningFile: string, log: (line: string) => void): Promise<void> => {
  const orphans = (readJson(runningFile, runningShape)?.children ?? []).filter(lives).reverse()
  if (orphans.length > 0) log(`Ending ${orphans.length} processes that an interrupted run left behind …`)
  for (const orphan of orphans) {
    signal(orphan, orphan.name === 'postgres' ? 'SIGINT' : 'SIGTERM')
    if (await waitForEnd(orphan, 10_000)) continue
    signal(orphan, orphan.name === 'postgres' ? 'SIGQUIT' : 'SIGKILL')
    await waitForEnd(orphan, 5000)
  }
  rmSync(runningFile, { force: true })
}

const createRegistry = (file: string): ChildRegistry & { list(): RecordedChild[] } => {
  let children: RecordedChild[] = []
  const write = () => writePrivateFile(file, JSON.stringify({ pid: process.pid, children }))
  write()
  return {
    added: (child) => {
      children = [...children, child]
      write()
    },
    removed: (pid) => {
      children = children.filter((child) => child.pid !== pid)
      // The last exits are seen after close(), when the record is already gone.
      if (existsSync(file)) write()
    },
    list: () => children,
  }
}

const isStack = (paths: StackPaths): boolean => existsSync(paths.secrets) || existsSync(paths.state)

/** Removes everything a stack keeps, but nothing from a directory that was never a stack's. */
const wipe = (paths: StackPaths): void => {
  if (!isStack(paths)) return
  removePostgresData(paths.postgres)
  for (const entry of readdirSync(paths.dir)) {
    const path = join(paths.dir, entry)
    if (path !== paths.lock && !entry.startsWith('lock-')) rmSync(path, { recursive: true, force: true })
  }
}

/** Data without its passwords is of no use: left by a deleted `.tollgate/`, it goes; in place, somebody has to decide. */
const settleLostSecrets = (paths: StackPaths): void => {
  if (existsSync(paths.secrets)) return
  if (existsSync(paths.postgres)) {
    throw new StackError(
      `${paths.postgres} is there, but ${paths.secrets} with its passwords is not. Remove ${paths.dir} to start over.`,
    )
  }
  removePostgresData(paths.postgres)
}

/** How a stack's directory is opened. */
export type OpenOptions = { dir?: string | undefined; fresh?: boolean | undefined; log?: (line: string) => void }

/** Takes a stack's directory for this process: locks it, ends orphans of an earlier run, wipes it when `fresh`, loads secrets. */
export const openStackDir = async ({ dir, fresh, log = () => {} }: OpenOptions): Promise<StackDir> => {
  const paths = stackPaths(dir)
  mkdirSync(paths.dir, { recursive: true })
  const lock = takeLock(paths)
  try {
    await endOrphans(paths.running, log)
    if (fresh === true) wipe(paths)
    settleLostSecrets(paths)
    rmSync(paths.stackFile, { force: true })
    const registry = createRegistry(paths.running)
    const readState = (): StackState => readJson(paths.state, stateShape) ?? { ports: {} }
    return {
      paths,
      secrets: loadSecrets(paths.secrets),
      registry,
      readState,
      writeState: (change) => writePrivateFile(paths.state, JSON.stringify({ ...readState(), ...change }, null, 2)),
      killAll: () => {
        for (const child of registry.list()) signal(child, 'SIGKILL')
      },
      close: () => {
        rmSync(paths.stackFile, { force: true })
        rmSync(paths.running, { force: true })
        lock.close()
      },
    }
  } catch (error) {
    lock.close()
    throw error
  }
}
