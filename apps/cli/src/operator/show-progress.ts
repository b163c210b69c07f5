import { Presets, SingleBar } from 'cli-progress'
import type { CommandIo } from '../command-io.ts'
import { formatCount } from '../demo/format.ts'

/** How far a command is, and what it has found so far. */
export interface Progress {
  readonly done: number
  readonly total: number
  readonly note: string
}

/** Shows progress on stderr; `close` leaves the terminal as it was. */
export interface ProgressView {
  show(progress: Progress): void
  close(): void
}

/** A bar on a terminal; for pipes, logs and NO_COLOR a line for each tenth of the way. */
export function createProgress({ stderr, env }: CommandIo, unit: string): ProgressView {
  const isPlain = !stderr.isTTY || (env.NO_COLOR ?? '') !== ''
  return isPlain ? createLines((line) => stderr.write(`${line}\n`), unit) : createBar(stderr, unit)
}

function createLines(write: (line: string) => void, unit: string): ProgressView {
  let shownTenth = -1
  return {
    show({ done, total, note }) {
      const tenth = total === 0 ? 10 : Math.floor((done * 10) / total)
      if (tenth === shownTenth) return
      shownTenth = tenth
      write(`${formatCount(done)} of ${formatCount(total)} ${unit}${note === '' ? '' : ` (${note})`}`)
    },
    close() {},
  }
}

function createBar(stream: NodeJS.WriteStream, unit: string): ProgressView {
  const format = `[{bar}] {percentage} % | {value} of {total} ${unit} | {note}`
  const bar = new SingleBar({ format, stream, hideCursor: true, fps: 10, barsize: 30 }, Presets.shades_classic)
  let isStarted = false
  return {
    show({ done, total, note }) {
      if (!isStarted) bar.start(total, 0, { note })
      isStarted = true
      bar.setTotal(total)
      bar.update(done, { note })
    },
    close() {
      if (isStarted) bar.stop()
      isStarted = false
    },
  }
}
