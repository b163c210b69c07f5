import { MultiBar, Presets, type SingleBar } from 'cli-progress'
import type { DemoProgress } from './demo-context.ts'
import { formatCount } from './format.ts'

/** Shows progress; `close` leaves the terminal as it was. */
export interface ProgressView {
  show(progress: DemoProgress): void
  close(): void
}

type Sending = Extract<DemoProgress, { kind: 'sending' }>

const describe = ({ recorded, duplicate, pending }: Sending): string => {
  const parts = [`${formatCount(recorded)} recorded`, `${formatCount(duplicate)} duplicates`]
  return pending > 0 ? [...parts, `${formatCount(pending)} accepted`].join(', ') : parts.join(', ')
}

/** Lines of text, one a tenth of the way: for pipes, logs and NO_COLOR. */
export function createLines(write: (line: string) => void): ProgressView {
  let shownTenth = 0
  return {
    show(progress) {
      if (progress.kind === 'note') write(progress.text)
      if (progress.kind !== 'sending') return
      const tenth = Math.floor((progress.done * 10) / progress.total)
      if (tenth === shownTenth) return
      shownTenth = tenth
      write(`Sent:   ${formatCount(progress.done)} of ${formatCount(progress.total)} events (${describe(progress)})`)
    },
    close() {},
  }
}

/** A bar that stays below the notes: for a terminal. */
export function createBar(stream: NodeJS.WriteStream): ProgressView {
  const format = 'Sent:   [{bar}] {percentage} % | {value} of {total} events | {counts}'
  const bars = new MultiBar({ format, stream, hideCursor: true, fps: 20, barsize: 30 }, Presets.shades_classic)
  let bar: SingleBar | null = null
  let sent = false
  const close = (): void => {
    if (!sent && bar) bars.stop()
    sent = true
  }
  return {
    show(progress) {
      if (progress.kind === 'note' && (bar === null || sent)) stream.write(`${progress.text}\n`)
      else if (progress.kind === 'note') bars.log(`${progress.text}\n`)
      else if (progress.kind === 'sent') close()
      else {
        const counts = describe(progress)
        bar ??= bars.create(progress.total, 0, { counts })
        bar.update(progress.done, { counts })
      }
    },
    close,
  }
}
