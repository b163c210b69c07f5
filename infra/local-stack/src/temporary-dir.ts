import { spawn } from 'node:child_process'
import { chmodSync, mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A stack directory for one test run; `remove()` deletes it with what still runs in it. */
export type TemporaryDir = { dir: string; remove(): Promise<void> }

/** Makes a directory under the system's temporary one, watched by a process that cleans up when this process ends without having done so. */
export const createTemporaryDir = (): TemporaryDir => {
  const dir = mkdtempSync(join(tmpdir(), 'tollgate-test-'))
  // As root, PostgreSQL runs as another user, who must be able to pass through.
  if (process.getuid?.() === 0) chmodSync(dir, 0o711)
  const guard = spawn(process.execPath, [join(import.meta.dirname, 'guard.ts'), dir], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  })
  guard.unref()
  const gone = new Promise<void>((done) => {
    guard.once('exit', () => done())
    guard.once('error', () => done())
  })
  const remove = async () => {
    // While its end is waited for it must keep this process: an error that led here would never be told.
    guard.ref()
    guard.stdin.end()
    await gone
  }
  return { dir, remove }
}
