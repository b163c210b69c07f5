import { setTimeout as delay } from 'node:timers/promises'
import { ChaosError } from '../chaos-error.ts'
import { type Inject, last, startAgain } from '../faults/fault-context.ts'
import { familyOf } from '../stack/list-processes.ts'
import type { ChaosStack } from '../stack/open-chaos-stack.ts'
import type { Disk } from './open-disk.ts'

const ANSWER_TRIES = 60
const ANSWER_PAUSE_MS = 500
const ANSWER_MS = 2_000

/** A server's disk is full for a while. Redis with its append-only file, and PostgreSQL with its WAL, may end of it. */
export const fillDisk: Inject = async (stack, { target, seconds }, stopping) => {
  const disk = diskOf(stack, target)
  const server = stack.process(target)
  stack.expectEnd(target, true)
  disk.fill()
  try {
    await last(seconds, stopping)
  } finally {
    disk.free()
  }
  // What has not ended of it goes on; what has, or does so now, is started as a supervisor would.
  for (let tries = ANSWER_TRIES; tries > 0 && !(await answers(stack, target)); tries--) {
    if (server.pid === null) await startAgain(server, stopping).catch(() => undefined)
    await delay(ANSWER_PAUSE_MS, undefined, { signal: stopping })
  }
  stack.expectEnd(target, false)
}

/** The power fails: what was not synced is lost. */
export const cutPower: Inject = async (stack, { target }, stopping) => {
  const disk = diskOf(stack, target)
  const server = stack.process(target)
  if (server.pid === null) return
  const family = familyOf(server.pid)
  // At one moment: nothing is written while the image is kept, and nothing that was not on it survives.
  for (const pid of family) process.kill(pid, 'SIGSTOP')
  disk.keepCrashImage()
  for (const pid of family.slice(1)) process.kill(pid, 'SIGKILL')
  await server.kill('SIGKILL')
  await disk.mountCrashImage()
  await startAgain(server, stopping)
}

async function answers({ db, redis }: ChaosStack, target: string): Promise<boolean> {
  // A write: a server whose disk is full may well read.
  const asked =
    target === 'redis'
      ? redis.set('chaos:disk', '1', 'EX', 60)
      : db.query('create temporary table if not exists disk ()')
  const late = delay(ANSWER_MS).then(() => false)
  return Promise.race([late, Promise.resolve(asked).then(() => true)]).catch(() => false)
}

function diskOf({ disks }: ChaosStack, target: string): Disk {
  const disk = disks.get(target)
  if (disk === undefined) throw new ChaosError(`${target} has no disk of its own.`)
  return disk
}
