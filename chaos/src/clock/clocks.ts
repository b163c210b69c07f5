import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

const PRELOAD = pathToFileURL(join(import.meta.dirname, 'skewed-clock.ts')).href

/** The clocks of the services' processes. */
export interface Clocks {
  /** What a process is told, so that its clock can be set. */
  adaptEnv(label: string, env: NodeJS.ProcessEnv): NodeJS.ProcessEnv
  /** Sets how far a process's clock is off, in seconds. */
  set(label: string, offsetSeconds: number): void
}

/** Clocks that are set through files in `dir`; no clock of the machine is touched, and no right to do so is needed. */
export function createClocks(dir: string): Clocks {
  const fileOf = (label: string) => join(dir, `clock-${label}`)
  const set = (label: string, offsetSeconds: number) => writeFileSync(fileOf(label), String(offsetSeconds * 1_000))
  return {
    set,
    adaptEnv: (label, env) => {
      set(label, 0)
      return {
        ...env,
        CHAOS_CLOCK: fileOf(label),
        NODE_OPTIONS: `${env.NODE_OPTIONS ?? ''} --import=${PRELOAD}`.trim(),
      }
    },
  }
}
