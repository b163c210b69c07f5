import { familyOf } from '../stack/list-processes.ts'
import { type Inject, last } from './fault-context.ts'

/** SIGKILL, and a start after the fault's time. */
export const killProcess: Inject = async (stack, { target, seconds }) => {
  const victim = stack.process(target)
  await victim.kill('SIGKILL')
  await last(seconds)
  await victim.start()
}

/** SIGSTOP, and SIGCONT after the fault's time: it comes back and believes that nothing has happened. */
export const freezeProcess: Inject = async (stack, { target, seconds }) => {
  const { pid } = stack.process(target)
  if (pid === null) return
  // PostgreSQL is a family of processes.
  const family = familyOf(pid)
  for (const member of family) signal(member, 'SIGSTOP')
  try {
    await last(seconds)
  } finally {
    for (const member of family) signal(member, 'SIGCONT')
  }
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name)
  } catch {
    // A backend that has ended meanwhile.
  }
}
