import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import { finished } from 'node:stream/promises'
import type { CommandIo } from '../command-io.ts'
import { CliError } from './cli-error.ts'

/** Where an export goes. `write` waits while the reader is slower than we are. */
export interface Output {
  readonly write: (text: string) => Promise<void>
  readonly close: () => Promise<void>
}

/** Opens a file for writing, or stdout when no name is given. A file is for its owner alone: it holds usage of people. */
export async function openOutput(file: string | undefined, { stdout }: CommandIo): Promise<Output> {
  const stream = file === undefined ? stdout : createWriteStream(file, { mode: 0o600 })
  if (file !== undefined) {
    await once(stream, 'open').catch((error: unknown) => {
      throw new CliError(error instanceof Error ? error.message : String(error))
    })
  }
  return {
    write: async (text) => {
      if (stream.write(text)) return
      await once(stream, 'drain').catch((error: unknown) => {
        throw new CliError(error instanceof Error ? error.message : String(error))
      })
    },
    close: async () => {
      if (file === undefined) return
      stream.end()
      await finished(stream)
    },
  }
}
