import { spawnSync } from 'node:child_process'
import { ChaosError } from '../chaos-error.ts'

const TIMEOUT_MS = 60_000

/** Runs a program of the system to its end. @throws ChaosError with what it said, when it fails */
export function runCommand(program: string, args: readonly string[]): void {
  const { status, stderr, error } = spawnSync(program, args, { encoding: 'utf8', timeout: TIMEOUT_MS })
  if (status === 0) return
  throw new ChaosError(`${program} ${args.join(' ')} failed: ${error?.message ?? stderr.trim()}`)
}
