import { InvalidArgumentError } from 'commander'

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

/** An id of an organization or a user. */
export function readUuid(text: string): string {
  if (!UUID.test(text)) throw new InvalidArgumentError('a UUID is needed.')
  return text.toLowerCase()
}

/** A calendar day, as 2026-11-01. */
export function readDate(text: string): string {
  const isDay = /^\d{4}-\d\d-\d\d$/.test(text) && new Date(`${text}T00:00:00Z`).toJSON()?.startsWith(text)
  if (!isDay) throw new InvalidArgumentError('a day such as 2026-11-01 is needed.')
  return text
}
