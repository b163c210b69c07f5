/** What stands in a log line where a secret stood. */
export const REDACTED = '[redacted]'

const MAX_DEPTH = 8
const MAX_ITEMS = 200

// Compared without case, `-` and `_`. `input_tokens` and its sisters are counts and do not end in `token`.
const SECRET_KEY =
  /(?:^|x)(?:authorization|cookie|setcookie|apikey|key|jwt|email|mail|password|passwd|secret|token|credentials?)$|(?:token|secret|password|apikey|secretkey|servicekey|ingestkey|operatorkey|privatekey|cookie|email|emailaddress)$/

// None of these can match a quote or a backslash, so that a JSON line stays one.
const SECRET_TEXT: readonly (readonly [RegExp, string])[] = [
  [/\beyJ[\w-]{5,}(?:\.[\w-]*){1,4}/g, REDACTED],
  [/\b(?:tg|sk|pk|rk|sbp)_[\w-]{6,}/g, REDACTED],
  [/\bwhsec_[\w+/-]{6,}={0,2}/g, REDACTED],
  [/\bsb_(?:secret|publishable)_[\w-]{4,}/g, REDACTED],
  [/\b((?:Bearer|Basic)\s+)[\w.~+/=-]{6,}/gi, `$1${REDACTED}`],
  [/(\b[a-z][a-z0-9+.-]*:\/\/)[^\s/?#"'\\@]*(?:@[^\s/?#"'\\@]*)*@/gi, `$1${REDACTED}@`],
  [/([?&;](?:[\w-]*token|code|apikey|api_key|key|secret|password|handoff|signature)=)[^&\s"'\\#]+/gi, `$1${REDACTED}`],
  [/\b[\w.+-]{1,64}@(?:[\w-]{1,63}\.)+[a-z]{2,24}\b/gi, REDACTED],
]

/** Replaces JWTs, our own and Supabase's keys, URL credentials, token parameters and e-mail addresses in a text. */
export function redactText(text: string): string {
  return SECRET_TEXT.reduce((rest, [pattern, replacement]) => rest.replace(pattern, replacement), text)
}

/** Copies a value for the log: values under secret-looking keys are replaced, errors become plain objects. */
export function redactKeys(value: unknown, depth = 0): unknown {
  if (typeof value === 'bigint') return value.toString()
  if (value === null || typeof value !== 'object') return value
  if (depth >= MAX_DEPTH) return '[too deep]'
  if (value instanceof Error) return redactError(value, depth)
  if (Array.isArray(value)) return value.slice(0, MAX_ITEMS).map((item) => redactKeys(item, depth + 1))
  if (value instanceof Map || value instanceof Set) return redactKeys([...value], depth)
  if (Buffer.isBuffer(value) || ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`
  if ('toJSON' in value && typeof value.toJSON === 'function') return redactKeys(value.toJSON(), depth + 1)
  return redactObject(value, depth)
}

function redactObject(value: object, depth: number): Record<string, unknown> {
  const copy: Record<string, unknown> = {}
  for (const [key, item] of Object.entries(value)) {
    const isHidden = isSecretKey(key) && item !== null && item !== undefined && typeof item !== 'boolean'
    copy[key] = isHidden ? REDACTED : redactKeys(item, depth + 1)
  }
  return copy
}

function redactError(error: Error, depth: number): Record<string, unknown> {
  const own = redactObject(error, depth)
  const plain: Record<string, unknown> = { ...own, type: error.name, message: error.message, stack: error.stack }
  if ('command' in error) plain.command = nameOfCommand(error.command)
  if (error.cause !== undefined) plain.cause = redactKeys(error.cause, depth + 1)
  if (error instanceof AggregateError) plain.errors = redactKeys(error.errors, depth + 1)
  return plain
}

/** ioredis adds the command that was refused, with all of its arguments: those of HELLO and AUTH hold the password. */
function nameOfCommand(command: unknown): string {
  const isNamed = typeof command === 'object' && command !== null && 'name' in command
  return isNamed && typeof command.name === 'string' ? command.name : REDACTED
}

function isSecretKey(key: string): boolean {
  return SECRET_KEY.test(key.toLowerCase().replaceAll(/[-_\s]/g, ''))
}
