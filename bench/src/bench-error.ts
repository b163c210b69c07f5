/** An end of the bench that needs no stack trace: its message says all. */
export class BenchError extends Error {
  override readonly name = 'BenchError'
}
