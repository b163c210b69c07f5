import { createHmac, hash, randomBytes, timingSafeEqual } from 'node:crypto'

/** How LibreChat is embedded: in a page of the same site (`app.` and `chat.example.com`), or of another one. */
export type Embedding = 'same-site' | 'cross-site'

/** `__Host-`: browsers take it over https only, from this host alone, and for all of its paths. */
const NAME = '__Host-tollgate'
const START = `${NAME}=`
const ID_BYTES = 32
const VALUE = /^[\w-]{43}\.[\w-]{22}$/

/** A session's cookie as it came, or why there is none. */
export type PresentedSession = { readonly value: string } | { readonly reason: 'missing' | 'malformed' }

/** Reads our cookie from the header. Two of that name are one too many: somebody else has set the other. */
export function readSessionCookie(header: string | undefined): PresentedSession {
  if (header === undefined) return { reason: 'missing' }
  const values = valuesOf(header)
  const [value] = values
  if (value === undefined) return { reason: 'missing' }
  return values.length === 1 && VALUE.test(value) ? { value } : { reason: 'malformed' }
}

/** Each value under our name, without taking all the other cookies apart. */
function valuesOf(header: string): string[] {
  const values: string[] = []
  for (let at = header.indexOf(START); at !== -1; at = header.indexOf(START, at + START.length)) {
    const before = header.slice(header.lastIndexOf(';', at) + 1, at)
    if (before.trim() !== '') continue
    const end = header.indexOf(';', at)
    values.push(header.slice(at + START.length, end === -1 ? header.length : end).trimEnd())
  }
  return values
}

/** The `Set-Cookie` of a session; `Partitioned` (CHIPS) where third-party cookies are kept apart by the top-level site. */
export function writeSessionCookie(value: string, maxAgeSeconds: number, embedding: Embedding): string {
  const site = embedding === 'cross-site' ? 'SameSite=None; Partitioned' : 'SameSite=Lax'
  return `${NAME}=${value}; Path=/; Max-Age=${maxAgeSeconds}; Secure; HttpOnly; ${site}`
}

/** Makes a session's opaque value: random, and marked so that an invented one costs no question to Postgres. */
export function newSessionValue(key: Uint8Array): string {
  const id = randomBytes(ID_BYTES).toString('base64url')
  return `${id}.${markOf(id, key)}`
}

/** Whether a value was made with this key. */
export function isOurSessionValue(value: string, key: Uint8Array): boolean {
  const [id = '', mark = ''] = value.split('.')
  const expected = Buffer.from(markOf(id, key))
  const given = Buffer.from(mark)
  return given.length === expected.length && timingSafeEqual(given, expected)
}

/** What is kept of a value: its SHA-256, 64 hex digits. */
export function sessionDigest(value: string): string {
  return hash('sha256', value)
}

function markOf(id: string, key: Uint8Array): string {
  return createHmac('sha256', key).update(id).digest().subarray(0, 16).toString('base64url')
}
