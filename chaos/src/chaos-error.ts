/** A run that cannot go on, or whose command line is not understood. */
export class ChaosError extends Error {
  override readonly name = 'ChaosError'
}
