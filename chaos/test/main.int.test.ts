import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { expect, test, vi } from 'vitest'
import { planSchedule } from '../src/schedule/plan-schedule.ts'
import { familyOf, listProcesses } from '../src/stack/list-processes.ts'

const MAIN = join(import.meta.dirname, '../src/main.ts')
const PATIENCE_MS = 120_000

test('a schedule is printed as JSON where that is asked for', () => {
  const stdout = execFileSync(process.execPath, [MAIN, '--plan', '--json', '--seed', '7', '--minutes', '1'])
  expect(JSON.parse(stdout.toString())).toEqual(planSchedule({ seed: 7, seconds: 60, privileged: false }))
})

/** The family of a process that runs a service. */
function countInstances(pid: number, service: string): number {
  const all = listProcesses()
  const family = new Set(familyOf(pid, all))
  return all.filter((entry) => family.has(entry.pid) && entry.command.includes(`services/${service}/src/main.ts`))
    .length
}

// Needs /proc to see the moment.
test.skipIf(process.platform !== 'linux')(
  'an interrupt between the start of the stack and the first fault ends the run at once, with no verdict',
  async () => {
    const child = spawn(process.execPath, [MAIN, '--seed', '7', '--minutes', '60'])
    const [stdout, stderr, exited] = [text(child.stdout), text(child.stderr), once(child, 'exit')]
    const pid = child.pid ?? 0
    try {
      // The stack is there; its second instances begin.
      await vi.waitFor(() => expect(countInstances(pid, 'quota-enforcer')).toBe(2), { timeout: PATIENCE_MS / 2 })
      const family = familyOf(pid)
      child.kill('SIGINT')
      expect(await exited).toEqual([1, null])
      expect(await stdout).toBe('')
      expect((await stderr).trim()).toMatch(/\nInterrupted\.$/)
      expect(await stderr).not.toContain('Failed')
      expect(listProcesses().filter((entry) => family.includes(entry.pid))).toEqual([])
    } finally {
      child.kill('SIGTERM')
    }
  },
  PATIENCE_MS,
)
