import { z } from 'zod'

// Values that stand in public example files: whoever copies the file shares the key with everybody.
// The long ones are those of Supabase's and LibreChat's `.env.example`.
const WELL_KNOWN = new Set([
  'secret',
  'changeme',
  'change-me',
  'password',
  'your-secret-key',
  'super-secret-jwt-token-with-at-least-32-characters-long',
  'your-super-secret-jwt-token-with-at-least-32-characters-long',
  '16f8c0ef4a5d391b26034086c628469d3f9f497f08163ab9b40137092f2909ef',
  'eaa5191f2914e30b9387fd84e254e4ba6fc51b4654968a9b0803b456a54b8418',
  'f34be427ebb29de8d88c107a71546019685ed8b241d8f2ed00c3df97ad2566f0',
])
const PLACEHOLDER =
  /^(?:<.*>|(?:your|change|replace|example|todo|xxx)[-_ ]?.*|.*(?:changeme|change[-_]me|replace[-_]me).*)$/i
const MIN_DISTINCT_CHARACTERS = 8

/** What `secret` accepts. */
export interface SecretOptions {
  /** Shortest allowed length in UTF-8 bytes; RFC 7518 3.2 asks for 32 with HS256. Default 32. */
  readonly minBytes?: number
  /** For keys another product chose, such as the JWT secret of a local Supabase: only the length is checked. */
  readonly allowWellKnown?: boolean
}

/** A key: long enough, not one from an example file, not a repeated pattern. Messages never show the value. */
export const secret = ({ minBytes = 32, allowWellKnown = false }: SecretOptions = {}) =>
  z.string().superRefine((value, context) => {
    const problem = findWeakness(value, minBytes, allowWellKnown)
    if (problem !== undefined) context.addIssue({ code: 'custom', message: problem })
  })

/** Such keys, separated by commas; none is an empty list. */
export const secrets = () =>
  z
    .string()
    .transform((text) => text.split(',').filter((part) => part !== ''))
    .refine((list) => list.every((part) => secret().safeParse(part).success), {
      error: 'must be strong secrets, separated by commas',
    })

function findWeakness(value: string, minBytes: number, allowWellKnown: boolean): string | undefined {
  const isWellKnown = WELL_KNOWN.has(value.toLowerCase()) || PLACEHOLDER.test(value)
  if (!allowWellKnown && isWellKnown) return 'is a well-known default; make one with `openssl rand -base64 48`'
  if (new TextEncoder().encode(value).length < minBytes) return `must be at least ${minBytes} bytes long`
  if (!allowWellKnown && isRepetitive(value)) return 'repeats itself; make one with `openssl rand -base64 48`'
  return undefined
}

function isRepetitive(value: string): boolean {
  if (new Set(value).size < MIN_DISTINCT_CHARACTERS) return true
  // A text that occurs in its own doubling before the end is a shorter text repeated.
  return (value + value).indexOf(value, 1) < value.length
}
