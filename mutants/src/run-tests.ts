import { spawn } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MutantError } from './mutation.ts'

/** Runs tests of a copy by file and title, one vitest process, and gives its JSON report. */
export async function runTests(
  root: string,
  tests: readonly { file: string; title: string }[],
  { timeoutMs, signal }: { timeoutMs: number; signal: AbortSignal },
): Promise<unknown> {
  const out = await mkdtemp(join(tmpdir(), 'tollgate-report-'))
  const outputFile = join(out, 'report.json')
  const titles = tests.map(({ title }) => RegExp.escape(title)).join('|')
  const files = [...new Set(tests.map(({ file }) => file))]
  const args = ['node_modules/vitest/vitest.mjs', 'run', ...files, '-t', titles, '--reporter=json']
  try {
    await finish(
      root,
      [...args, `--outputFile=${outputFile}`],
      AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
    )
    return JSON.parse(await readFile(outputFile, 'utf8'))
  } catch (error) {
    signal.throwIfAborted()
    throw new MutantError(`the run gave no report within ${timeoutMs / 1_000} s`, { cause: error })
  } finally {
    await rm(out, { recursive: true, force: true })
  }
}

/** Resolves when the process has ended, however; SIGTERM lets vitest take its servers down. */
async function finish(cwd: string, args: readonly string[], signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  const child = spawn(process.execPath, args, { cwd, stdio: 'ignore' })
  const stop = () => child.kill('SIGTERM')
  signal.addEventListener('abort', stop)
  child.on('close', () => resolve())
  child.on('error', () => resolve())
  await promise
  signal.removeEventListener('abort', stop)
}
