/** A time of Postgres as the API writes all times: ISO 8601 in UTC, with milliseconds. */
export function toUtc(time: string): string {
  return new Date(time).toISOString()
}
