/** Runs what writes an answer. */
export type WriteTogether = (write: () => void) => void

/**
 * Makes what writes answers as soon as all requests that came together have been looked at. A write wakes the process
 * at the other end, which costs more than judging a token: one after the other at the end, the first write wakes it and
 * the others find it awake. A request that comes alone waits for nothing. What is given must not throw.
 */
export function writeTogether(): WriteTogether {
  let waiting: (() => void)[] = []
  const writeAll = () => {
    const together = waiting
    waiting = []
    for (const write of together) write()
  }
  return (write) => {
    if (waiting.push(write) === 1) setImmediate(writeAll)
  }
}
