import { execFile } from 'node:child_process'
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** A copy of what is committed, with packages of its own, that may be broken at will. */
export interface Copy {
  readonly root: string
  /** Puts every file back. */
  restore(): Promise<void>
  remove(): Promise<void>
}

/** Makes the copy in a temporary directory, as a git worktree; `pnpm` is the command and its first arguments. */
export async function makeCopy(repository: string, pnpm: readonly [string, ...string[]]): Promise<Copy> {
  const parent = await mkdtemp(join(tmpdir(), 'tollgate-mutants-'))
  const root = join(parent, 'copy')
  await chmod(parent, 0o755) // PostgreSQL runs as somebody else than root
  const git = (cwd: string, ...args: string[]) => run('git', ['-C', cwd, ...args])
  const remove = async (): Promise<void> => {
    await git(repository, 'worktree', 'remove', '--force', root).catch(() => undefined)
    await rm(parent, { recursive: true, force: true })
    await git(repository, 'worktree', 'prune')
  }
  try {
    await git(repository, 'worktree', 'add', '--detach', root, 'HEAD')
    const [command, ...first] = pnpm
    await run(command, [...first, 'install', '--frozen-lockfile', '--prefer-offline'], { cwd: root })
  } catch (error) {
    await remove()
    throw error
  }
  return { root, restore: async () => void (await git(root, 'checkout', '--', '.')), remove }
}
