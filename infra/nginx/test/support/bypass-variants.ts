import { rawRequest } from './raw-http.ts'

/** A request that must not get through, by a client who has no session of its own. */
export type Variant = readonly [name: string, bytes: string | Buffer]

/** What a client without a session may have got hold of. */
export interface Loot {
  /** Value of a good session's cookie: it may be sent only where something else spoils it. */
  readonly session: string
  readonly handoff: string
  readonly supabaseToken: string
  readonly libreChatToken: string
}

const get = (path: string, headers: readonly string[] = []): string => rawRequest(`GET ${path} HTTP/1.1`, headers)
const CRLF = '\r\n'
const INNER = `GET /smuggled HTTP/1.1${CRLF}Host: chat.test${CRLF}Connection: close${CRLF}${CRLF}`
const NAME = '__Host-tollgate'

/** Cookies and credentials that are none. */
export function credentialVariants({ session, handoff, supabaseToken, libreChatToken }: Loot): Variant[] {
  const other = session.startsWith('A') ? `B${session.slice(1)}` : `A${session.slice(1)}`
  const cookies: [string, string][] = [
    ['nothing in it', `${NAME}=`],
    ['another id under the same mark', `${NAME}=${other}`],
    ['a mark cut short', `${NAME}=${session.slice(0, -1)}`],
    ['a mark made longer', `${NAME}=${session}A`],
    ['no mark', `${NAME}=${session.split('.')[0]}`],
    ['quotes round it', `${NAME}="${session}"`],
    ['twice, the same', `${NAME}=${session}; ${NAME}=${session}`],
    ['twice, a good one first', `${NAME}=${session}; ${NAME}=${other}`],
    ['twice, a good one last', `${NAME}=${other}; ${NAME}=${session}`],
    ['name in lower case', `__host-tollgate=${session}`],
    ['name without its prefix', `tollgate=${session}`],
    ['name with a space', `${NAME} =${session}`],
    ['name with an escape', `__Host%2dtollgate=${session}`],
    ['inside another value', `a=b,${NAME}=${session}`],
    ['a handoff', `${NAME}=${handoff}`],
    ['SQL', `${NAME}=' or '1'='1`],
    ['a wildcard', `${NAME}=*`],
    ['very long', `${NAME}=${'A'.repeat(20_000)}`],
  ]
  const credentials: [string, string][] = [
    ['no scheme', session],
    ['Basic', 'Basic YWRtaW46YWRtaW4='],
    ['Bearer alone', 'Bearer'],
    ['a session id', `Bearer ${session}`],
    ['a handoff', `Bearer ${handoff}`],
    ['a Supabase token', `Bearer ${supabaseToken}`],
    ["LibreChat's own token", `Bearer ${libreChatToken}`],
    ['alg none', `Bearer ${unsigned()}`],
    ['a server key', 'Bearer tg_0123456789abcdef0123456789abcdef'],
  ]
  return [
    ['nothing at all', get('/c/new')],
    ...cookies.map(([name, value]): Variant => [`cookie: ${name}`, get('/c/new', [`Cookie: ${value}`])]),
    ['two cookie headers', get('/c/new', [`Cookie: ${NAME}=${other}`, `Cookie: ${NAME}=${session}`])],
    ['cookie header with an underscore name', get('/c/new', [`_Cookie: ${NAME}=${session}`])],
    ['cookie in the query', get(`/c/new?${NAME}=${session}`)],
    ...credentials.map(
      ([name, value]): Variant => [`authorization: ${name}`, get('/c/new', [`Authorization: ${value}`])],
    ),
  ]
}

function unsigned(): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  return `${part({ alg: 'none', typ: 'at+jwt' })}.${part({ sub: 'x', iss: 'tollgate', aud: 'librechat' })}.`
}

const FORWARDED = [
  'X-Tollgate-User: 5b1f5a5e-0000-4000-8000-000000000001',
  'X-Tenant-Id: ac3e0000-0000-4000-8000-000000000001',
  'X-Original-URI: /oauth/openid',
  'X-Original-URL: /api/auth/verify',
  'X-Rewrite-URL: /api/auth/verify',
  'X-Forwarded-Uri: /api/auth/verify',
  'X-Forwarded-For: 127.0.0.1',
  'X-Forwarded-User: admin',
  'X-Forwarded-Proto: internal',
  'X-Auth-Request-User: admin',
  'X-Accel-Redirect: /c/new',
  'X-HTTP-Method-Override: OPTIONS',
  'X-Real-IP: 127.0.0.1',
  'Connection: close, Cookie, Authorization',
  'Range: bytes=0-1',
  'Expect: 100-continue',
  'Upgrade-Insecure-Requests: 1',
] as const

/** Things that a client says of its own request; no decision may look at them. */
export const METADATA_VARIANTS: readonly Variant[] = FORWARDED.map((header) => [header, get('/c/new', [header])])

const PATHS = [
  '/_tollgate/auth',
  '/_tollgate/page',
  '/_tollgate/handoff?token=x&org=y',
  '/%5ftollgate/auth',
  '/x/../_tollgate/auth',
  '//_tollgate/auth',
  '/api/auth/verify/../../c/new',
  '/api/auth/verify/..%2f..%2fc/new',
  '/api/auth/verify%2f..%2f..%2f..%2fc%2fnew',
  '/api/auth/verify;/../../../c/new',
  '/api/auth/verify/',
  '/api/auth/verify%00/c/new',
  '/API/AUTH/VERIFY',
  '/oauth/openid',
  '/oauth/openid/callback?code=1',
  '/oauth/openid/../../c/new',
  '/oauth/openid%2f..%2f..%2fc',
  '/api/auth/refresh',
  '/health',
  '/c/new?token=x&org=y',
  '/?org=acme',
  '/.well-known/../c/new',
  '\\c\\new',
  'http://librechat.internal/c/new',
  '*',
] as const

/** Paths that are open, or look like some that are. */
export const PATH_VARIANTS: readonly Variant[] = PATHS.map((path) => [`path: ${path}`, get(path)])

const METHODS = ['HEAD', 'OPTIONS', 'POST', 'PUT', 'DELETE', 'PATCH', 'PROPFIND', 'TRACE', 'CONNECT', 'get'] as const

/** Methods, versions and upgrades. */
export const PROTOCOL_VARIANTS: readonly Variant[] = [
  ...METHODS.map((method): Variant => [`method: ${method}`, rawRequest(`${method} /c/new HTTP/1.1`)]),
  ['HTTP/1.0', rawRequest('GET /c/new HTTP/1.0')],
  ['HTTP/0.9', `GET /c/new${CRLF}`],
  ['HTTP/2 without being asked', Buffer.from(`PRI * HTTP/2.0${CRLF}${CRLF}SM${CRLF}${CRLF}`)],
  [
    'h2c',
    rawRequest(
      'GET /c/new HTTP/1.1',
      ['Upgrade: h2c', 'HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA'],
      '',
      'Connection: Upgrade, HTTP2-Settings',
    ),
  ],
  [
    'a websocket',
    rawRequest(
      'GET /socket HTTP/1.1',
      ['Upgrade: websocket', 'Sec-WebSocket-Version: 13', 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=='],
      '',
      'Connection: Upgrade',
    ),
  ],
  ['no host', `GET /c/new HTTP/1.1${CRLF}Connection: close${CRLF}${CRLF}`],
  ['two hosts', get('/c/new', ['Host: other.test'])],
  ['bare line feeds', 'GET /c/new HTTP/1.1\nHost: chat.test\nConnection: close\n\n'],
  ['a folded header', get('/c/new', ['X-A: b', ' Cookie: c'])],
  ['a space before the colon', get('/c/new', ['Cookie : a=b'])],
  ['a header without a name', get('/c/new', [': a'])],
  ['a NUL in a header', get('/c/new', ['X-A: \0'])],
  ['a space in the path', 'GET /c/new /x HTTP/1.1\r\nHost: chat.test\r\nConnection: close\r\n\r\n'],
]

const post = (path: string, headers: readonly string[], body: string): string =>
  rawRequest(`POST ${path} HTTP/1.1`, headers, body, '')

/** Two requests where one is announced (RFC 9112 11.2), behind each door that is open to everybody. */
export const SMUGGLING_VARIANTS: readonly Variant[] = ['/c/new', '/api/auth/verify', '/'].flatMap((path): Variant[] => [
  [
    `${path}: length and chunked`,
    post(path, ['Content-Length: 4', 'Transfer-Encoding: chunked'], `0${CRLF}${CRLF}${INNER}`),
  ],
  [
    `${path}: chunked and length`,
    post(path, ['Transfer-Encoding: chunked', 'Content-Length: 4'], `5c${CRLF}${INNER}${CRLF}0${CRLF}${CRLF}`),
  ],
  [`${path}: two lengths`, post(path, ['Content-Length: 0', `Content-Length: ${INNER.length}`], INNER)],
  [`${path}: a list of lengths`, post(path, [`Content-Length: 0, ${INNER.length}`], INNER)],
  [`${path}: a length with a sign`, post(path, ['Content-Length: +0'], INNER)],
  [`${path}: a negative length`, post(path, ['Content-Length: -1'], INNER)],
  [`${path}: chunked, disguised`, post(path, ['Transfer-Encoding: xchunked'], `0${CRLF}${CRLF}${INNER}`)],
  [
    `${path}: chunked, twice`,
    post(path, ['Transfer-Encoding: chunked', 'Transfer-Encoding: identity'], `0${CRLF}${CRLF}${INNER}`),
  ],
  [`${path}: chunked after a tab`, post(path, ['Transfer-Encoding:\tchunked'], `0${CRLF}${CRLF}${INNER}`)],
  [`${path}: chunked before a space`, post(path, ['Transfer-Encoding : chunked'], `0${CRLF}${CRLF}${INNER}`)],
  [
    `${path}: a chunk size that overflows`,
    post(path, ['Transfer-Encoding: chunked'], `fffffffffffffffff${CRLF}${INNER}`),
  ],
  [`${path}: an extension of a chunk`, post(path, ['Transfer-Encoding: chunked'], `0;a=b${CRLF}${CRLF}${INNER}`)],
  [`${path}: one behind the other`, post(path, ['Content-Length: 0'], INNER)],
  [`${path}: inside a body`, post(path, [`Content-Length: ${INNER.length}`, 'Connection: close'], INNER)],
])
