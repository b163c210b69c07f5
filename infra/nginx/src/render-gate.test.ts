import { describe, expect, test } from 'vitest'
import { renderGate } from './render-gate.ts'

test('fills every variable in, with nothing but defaults', () => {
  const rendered = renderGate({})
  expect(rendered).not.toMatch(/\$\{/)
  expect(rendered).toContain('server 127.0.0.1:3100;')
  expect(rendered).toContain('auth_request /_tollgate/auth;')
  expect(rendered).not.toContain('ssl_certificate')
})

test('an empty variable is one that is not set, as in .env files', () => {
  expect(renderGate({ LISTEN: '', TLS_CERTIFICATE: '' })).toBe(renderGate({}))
})

test('LibreChat gets further headers by name alone', () => {
  expect(renderGate({ PASS_HEADERS: 'X-Trace  traceparent' })).toContain(
    'proxy_set_header X-Trace $http_x_trace;\n  proxy_set_header traceparent $http_traceparent;',
  )
})

test.each([
  ...['Connection', 'Keep-Alive', 'Proxy-Authorization', 'TE', 'Trailer', 'Transfer-Encoding', 'Upgrade', 'Expect'],
  ...[
    'Content-Length',
    'X-Request-Id',
    'X-Real-IP',
    'X-Forwarded-For',
    'x-forwarded-port',
    'Forwarded',
    'Host',
    'Cookie',
  ],
  ...['Authorization', 'accept', 'User-Agent', 'X-Tenant', 'x-tollgate', 'X-Tollgate-Anything'],
])('PASS_HEADERS names none that the gate sets or that is of one connection: %s', (name) => {
  expect(() => renderGate({ PASS_HEADERS: `X-Trace ${name}` })).toThrow('PASS_HEADERS')
})

test.each(['Cookie-Consent', 'X-Host', 'hostname', 'X-Tenants', 'x-forwardedness', 'Team'])(
  'PASS_HEADERS may name one that only begins like those: %s',
  (name) => {
    expect(renderGate({ PASS_HEADERS: name })).toContain(`proxy_set_header ${name} $http_`)
  },
)

describe('a value can end no directive and open no block', () => {
  test.each([
    ['LISTEN', '80; include /etc/passwd'],
    ['SERVER_NAME', 'a } server {'],
    ['FRAME_ANCESTORS', "'self'\"; add_header X y; #"],
    ['FRAME_ANCESTORS', '$http_x'],
    ['TOKEN_API', 'http://token-api:3100/path'],
    ['TOKEN_API', 'token-api'],
    ['LIBRECHAT', 'a:1 b:2'],
    ['ACCESS_LOG', '/var/log/a b'],
    ['MAX_BODY', 'lots'],
    ['CHAT_EMBEDDING', 'anywhere'],
    ['LOGIN_PAGE', 'open'],
    ['FORWARDED_PROTO', 'gopher'],
    ['TLS_CERTIFICATE', '/only/one.pem'],
    ['PASS_HEADERS', 'X-Trace; include /etc/passwd'],
    ['PASS_HEADERS', 'X-Trace x-tollgate-user'],
    ['PASS_HEADERS', 'X-TENANT-ID'],
    ['PASS_HEADERS', 'X_Tenant_Id'],
  ])('%s=%s', (name, value) => {
    expect(() => renderGate({ [name]: value })).toThrow(name)
  })
})

test('every location of the gate but its own asks first', () => {
  const open = renderGate({})
    .split(/^ {2}location /m)
    .filter((text) => text.includes('auth_request off;'))
  expect(open.map((text) => text.split(' {', 1)[0])).toEqual([
    '= /_tollgate/page',
    '= /_tollgate/handoff',
    '= /api/auth/verify',
  ])
})
