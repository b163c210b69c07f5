/**
 * Why a job could not be added. `unavailable`: it is certainly not stored. `ambiguous`: the command was sent and no
 * answer came, so it may be stored; repeating it with the same job id is safe. `invalid`: it does not fit its schema.
 */
export type QueueErrorCode = 'unavailable' | 'ambiguous' | 'invalid'

/** The one error of a producer. */
export class QueueError extends Error {
  override readonly name = 'QueueError'
  readonly code: QueueErrorCode

  constructor(code: QueueErrorCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.code = code
  }
}

/** Redis may drop what it has acknowledged. */
export class EvictionError extends Error {
  override readonly name = 'EvictionError'
}

/** Thrown by a handler when no repetition can help: the job becomes a dead letter at once. */
export class DeadLetterError extends Error {
  override readonly name = 'DeadLetterError'
}
