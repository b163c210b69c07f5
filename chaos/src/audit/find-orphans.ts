import { familyOf, listProcesses } from '../stack/list-processes.ts'
import type { Finding } from './finding.ts'

/** Notes the stack's processes while it runs; the answer tells which of them, or of its directory, live after it has ended. */
export function watchProcesses(dir: string): () => Finding {
  const before = listProcesses()
  const ours = new Set(familyOf(process.pid, before))
  ours.delete(process.pid)
  return () => {
    const living = listProcesses().filter(({ pid, command, parent }) => {
      const isOurs = ours.has(pid) && before.some((entry) => entry.pid === pid && entry.command === command)
      return (isOurs || command.includes(dir)) && parent !== 0 && pid !== process.pid
    })
    return {
      audit: 'no process is left behind',
      faults: living.map(({ pid, command }) => `${pid} ${command}`),
      looked: `${ours.size} processes of the run`,
    }
  }
}
