/** The credential of an `Authorization: Bearer` header (RFC 6750), or why there is none. */
export type Bearer = { readonly token: string } | { readonly reason: 'missing' | 'malformed' }

const SCHEME = /^bearer(?: |$)/i
const TOKEN = /^[\w.~+/-]+=*$/

/** Reads the header; other schemes count as a missing credential. */
export function readBearer(header: string | undefined): Bearer {
  if (header === undefined || !SCHEME.test(header)) return { reason: 'missing' }
  const token = header.slice('bearer'.length).trim()
  return TOKEN.test(token) ? { token } : { reason: 'malformed' }
}
