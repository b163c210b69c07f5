/** Writes a time that Postgres printed as PostgREST would: `2026-11-23 10:00:00.5+00` → `2026-11-23T10:00:00.5+00:00`. */
export function toIsoTime(text: string): string {
  return text.replace(' ', 'T').replace(/([+-]\d{2})$/, '$1:00')
}
