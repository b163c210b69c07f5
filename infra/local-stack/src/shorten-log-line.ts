const MAX_LENGTH = 240

/** A line of a log for people: of a JSON line its level, message and error; anything too long is cut. */
export function shortenLogLine(line: string): string {
  const entry = parse(line)
  if (entry === null) return cut(line)
  const { level, msg, err } = entry
  const error = isRecord(err) && typeof err.message === 'string' ? err.message : undefined
  const said = [typeof msg === 'string' ? msg : undefined, error !== msg ? error : undefined]
  return cut([`${level ?? ''}`, said.filter((part) => part !== undefined && part !== '').join(': ')].join(' ').trim())
}

const cut = (text: string): string => (text.length > MAX_LENGTH ? `${text.slice(0, MAX_LENGTH)} …` : text)
const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null

function parse(line: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(line)
    return isRecord(value) && 'msg' in value ? value : null
  } catch {
    return null
  }
}
