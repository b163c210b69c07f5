export { createLogger, type Logger, type LoggerOptions } from './create-logger.ts'
export { REDACTED, redactKeys, redactText } from './redact.ts'
