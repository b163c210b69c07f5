import type { Server } from '@tollgate/local-stack'
import { familyOf } from '../stack/list-processes.ts'
import { type Inject, last, startAgain } from './fault-context.ts'

const START_TRIES = 30

/** SIGKILL, and a start after the fault's time. */
export const killProcess: Inject = async (stack, { target, seconds }, stopping) => {
  const victim = stack.process(target)
  await victim.kill('SIGKILL')
  await last(seconds, stopping)
  if (target === 'supabase') await startPatiently(victim, stopping)
  else await startAgain(victim, stopping)
}

/** SIGSTOP, and SIGCONT after the fault's time: it comes back and believes that nothing has happened. */
export const freezeProcess: Inject = async (stack, { target, seconds }, stopping) => {
  const { pid } = stack.process(target)
  if (pid === null) return
  // PostgreSQL is a family of processes.
  const family = familyOf(pid)
  for (const member of family) signal(member, 'SIGSTOP')
  try {
    await last(seconds, stopping)
  } finally {
    for (const member of family) signal(member, 'SIGCONT')
  }
}

/** The local stand-in for Supabase ends when Postgres is away as it starts; ours must not. A supervisor starts it again. */
async function startPatiently(victim: Server, stopping: AbortSignal): Promise<void> {
  for (let tries = START_TRIES; ; tries--) {
    try {
      return await startAgain(victim, stopping)
    } catch (error) {
      if (tries === 0) throw error
    }
    await last(1, stopping)
  }
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name)
  } catch {
    // A backend that has ended meanwhile.
  }
}
