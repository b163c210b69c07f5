import { execFile } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { applyEdit } from './apply-edit.ts'
import { judgeRun } from './judge-run.ts'
import type { Copy } from './make-copy.ts'
import type { Mutation } from './mutation.ts'
import { runTests } from './run-tests.ts'

const MIGRATION = 'infra/supabase/generate-migration.ts'

/** Builds the fault into the copy, runs its test, and takes the fault out again; true when the test has noticed. */
export async function isCaught(
  { edits, test }: Mutation,
  copy: Copy,
  limits: { timeoutMs: number; signal: AbortSignal },
): Promise<boolean> {
  try {
    for (const edit of edits) {
      const path = join(copy.root, edit.file)
      await writeFile(path, applyEdit(await readFile(path, 'utf8'), edit))
    }
    if (edits.some(({ file }) => file.endsWith('.sql'))) {
      await promisify(execFile)(process.execPath, [MIGRATION], { cwd: copy.root })
    }
    return judgeRun(await runTests(copy.root, [test], limits), test.title) === 'failed'
  } finally {
    await copy.restore()
  }
}
