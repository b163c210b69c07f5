import { execFile } from 'node:child_process'
import { basename } from 'node:path'

/** What a run of pnpm said, and how it ended. */
export interface PnpmRun {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

const MAX_BYTES = 64 * 1024 * 1024

/** Runs pnpm in a directory: the one that runs this script, else one from npm. A failure is an answer, too. */
export function runPnpm(args: readonly string[], cwd: string): Promise<PnpmRun> {
  const [command, ...first] = findPnpm(process.env.npm_execpath)
  return new Promise((resolve) => {
    execFile(command, [...first, ...args], { cwd, maxBuffer: MAX_BYTES }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code ?? 1), stdout, stderr })
    })
  })
}

/** A package manager tells its scripts where it is; it may be another one, or itself a script. */
function findPnpm(path = ''): [string, ...string[]] {
  if (!basename(path).startsWith('pnpm')) return ['npx', '-y', 'pnpm@12']
  return /\.[cm]?js$/.test(path) ? [process.execPath, path] : [path]
}
