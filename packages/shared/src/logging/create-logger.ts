import { type DestinationStream, type Logger as PinoLogger, pino } from 'pino'
import { redactKeys, redactText } from './redact.ts'

/** A pino logger whose lines hold no token, key or e-mail address. */
export type Logger = PinoLogger

/** `debug` (from DEBUG or LIBRECHAT_DEBUG) lowers the level to `debug`; `destination` is standard output by default. */
export interface LoggerOptions {
  readonly service: string
  readonly level: string
  readonly debug?: boolean
  readonly destination?: DestinationStream
}

/**
 * Makes a service's logger. Secrets are removed twice: by the name of the key while the line is built, and by their
 * look in the finished line, which also covers messages, `%s` arguments, `err.stack` and children's bindings.
 */
export function createLogger({ service, level, debug = false, destination }: LoggerOptions): Logger {
  const logger = pino(
    {
      level: debug && level !== 'trace' ? 'debug' : level,
      base: { service, pid: process.pid },
      timestamp: pino.stdTimeFunctions.isoTime,
      // redactKeys has already made a plain object of the error; pino's own serializer would call it "Object".
      serializers: { err: (error: unknown) => redactKeys(error) },
      formatters: {
        level: (label) => ({ level: label }),
        bindings: (bindings) => asObject(redactKeys(bindings)),
        log: (line) => asObject(redactKeys(line)),
      },
      hooks: { streamWrite: redactText },
    },
    destination ?? pino.destination({ dest: 1, sync: true }),
  )
  // pino's formatters leave the bindings of children alone. Children inherit this method from the root.
  const child = logger.child
  logger.child = function redactedChild(this: Logger, bindings, options) {
    return child.call(this, asObject(redactKeys(bindings)), options)
  } as typeof logger.child
  return logger
}

function asObject(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? { ...value } : { value }
}
