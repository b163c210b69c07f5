import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'

const TEMPLATE = join(import.meta.dirname, '../tollgate.conf.template')

// Nothing that ends a directive or opens a block may stand in a value.
const word = z.string().regex(/^[^\s;{}"'\\$]{1,400}$/, { error: 'must be one word, without ; { } " \' \\ $' })
const words = z.string().regex(/^[^;{}"\\$\r\n]{1,2000}$/, { error: 'must be on one line, without ; { } " \\ $' })
const address = z.string().regex(/^[\w.\-[\]:]{1,255}:\d{1,5}$/, { error: 'must be host:port' })

const settings = z.object({
  /** The token API and LibreChat, as nginx reaches them. */
  TOKEN_API: address.default('127.0.0.1:3100'),
  LIBRECHAT: address.default('127.0.0.1:3080'),
  LISTEN: words.default('8080'),
  SERVER_NAME: words.default('_'),
  /** Who may embed the chat, as in CSP: `'self' https://app.example.com`. */
  FRAME_ANCESTORS: words.default("'self'"),
  /** As for the token API. cross-site: LibreChat's cookies, which are SameSite=Strict, would never reach an iframe. */
  CHAT_EMBEDDING: z.enum(['same-site', 'cross-site']).default('same-site'),
  /** What becomes of LibreChat's login page: a refusal, or the way to its OpenID Connect sign-in. */
  LOGIN_PAGE: z.enum(['blocked', 'openid']).default('blocked'),
  TLS_CERTIFICATE: word.optional(), // without both, TLS ends in front of nginx
  TLS_CERTIFICATE_KEY: word.optional(),
  FORWARDED_PROTO: z.enum(['http', 'https', '$scheme']).default('$scheme'),
  /** Names of request headers that LibreChat gets beside those of browsers, with spaces between. */
  PASS_HEADERS: z
    .string()
    .regex(/^(?:[a-z][a-z\d-]{0,60}(?: +|$))*$/i, { error: 'must be names of headers' })
    .refine((names) => !splitNames(names).some(isOwnName), {
      error: 'must name no header that the gate itself sets or that holds for one connection alone',
    })
    .default(''),
  MAX_BODY: z
    .string()
    .regex(/^\d{1,6}[kmg]?$/)
    .default('100m'),
  ACCESS_LOG: word.default('/dev/stdout'),
  ERROR_LOG: word.default('/dev/stderr'),
})

// Those that say who the visitor is, and those of which each connection has its own (RFC 9110 7.6.1, RFC 9112 6).
const RESERVED =
  /^(?:x-(?:tollgate|tenant|forwarded)(?:-.*)?|forwarded|keep-alive|proxy-(?:authenticate|authorization|connection)|te|trailer|transfer-encoding|content-length|expect)$/

/** Whether LibreChat must not be told this by a client: reserved, or a second one beside the template's own. */
function isOwnName(name: string): boolean {
  const own = readFileSync(TEMPLATE, 'utf8').matchAll(/^\s*proxy_set_header ([\w-]+) /gm)
  const lower = name.toLowerCase()
  return RESERVED.test(lower) || own.some(([, set]) => set?.toLowerCase() === lower)
}

function splitNames(names: string): string[] {
  return names.split(/ +/).filter((name) => name !== '')
}

/** Settings of the gate, from the environment. */
export type GateSettings = z.input<typeof settings>

const COOKIES = {
  'same-site': '',
  'cross-site': 'proxy_cookie_flags ~ secure samesite=none;\n  proxy_cookie_path / "/; Partitioned";',
} as const

/** The configuration of the gate, to be included in nginx's http block. @throws ZodError for a value that does not fit */
export function renderGate(env: Readonly<Record<string, string | undefined>>): string {
  const given = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== undefined && value !== ''))
  const { TLS_CERTIFICATE, TLS_CERTIFICATE_KEY, CHAT_EMBEDDING, PASS_HEADERS, ...plain } = settings
    .refine(hasBothOrNone, { error: 'TLS_CERTIFICATE and TLS_CERTIFICATE_KEY belong together' })
    .parse(given)
  const tls = TLS_CERTIFICATE
    ? `ssl_certificate ${TLS_CERTIFICATE};\n  ssl_certificate_key ${TLS_CERTIFICATE_KEY};\n  ssl_protocols TLSv1.2 TLSv1.3;`
    : ''
  const values: Record<string, string> = {
    ...plain,
    TLS: tls,
    LIBRECHAT_COOKIES: COOKIES[CHAT_EMBEDDING],
    MORE_HEADERS: passHeaders(PASS_HEADERS),
  }
  return readFileSync(TEMPLATE, 'utf8').replaceAll(/\$\{([A-Z_]+)\}/g, (_variable, name: string) => {
    const value = values[name]
    if (value === undefined) throw new TypeError(`the template knows a variable that nobody fills in: ${name}`)
    return value
  })
}

function passHeaders(names: string): string {
  return splitNames(names)
    .map((name) => `proxy_set_header ${name} $http_${name.toLowerCase().replaceAll('-', '_')};`)
    .join('\n  ')
}

function hasBothOrNone(given: { TLS_CERTIFICATE?: string | undefined; TLS_CERTIFICATE_KEY?: string | undefined }) {
  return (given.TLS_CERTIFICATE === undefined) === (given.TLS_CERTIFICATE_KEY === undefined)
}
