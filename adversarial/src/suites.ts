/** A suite of attacks: what it tries, and the test files that do. */
export interface Suite {
  readonly name: string
  readonly tries: string
  readonly files: readonly string[]
}

/** Every suite; `pnpm adversarial <name…>` runs some alone. The files are part of `pnpm test` too. */
export const SUITES: readonly Suite[] = [
  {
    name: 'tokens',
    tries:
      'forged, altered, foreign, expired, revoked and replayed tokens of every kind; weak secrets; races of refresh and logout',
    files: [
      'services/token-api/src/tokens/verify-access-token.test.ts',
      'services/token-api/src/tokens/verify-supabase-token.test.ts',
      'services/token-api/src/tokens/odd-tokens.test.ts',
      'services/token-api/src/tokens/cache-jwks.test.ts',
      'services/token-api/src/tokens/keys.test.ts',
      'services/token-api/test/verify.int.test.ts',
      'services/token-api/test/refresh.int.test.ts',
      'services/token-api/test/revoke.int.test.ts',
      'services/token-api/test/revoke-organization.int.test.ts',
      'packages/shared/src/config/config.test.ts',
    ],
  },
  {
    name: 'proxy',
    tries: 'identity headers, paths and framing past the gate; links into the chat used twice or by somebody else',
    files: [
      'infra/nginx/test/bypass.int.test.ts',
      'infra/nginx/test/passing.int.test.ts',
      'infra/nginx/test/handoff.int.test.ts',
      'services/token-api/test/proxy.int.test.ts',
    ],
  },
  {
    name: 'tenants',
    tries: 'every table and function of the database, and every route, as everybody who could ask',
    files: [
      'infra/supabase/test/rls-matrix.int.test.ts',
      'infra/supabase/test/row-level-security.int.test.ts',
      'services/token-api/test/roles.int.test.ts',
      'services/token-api/test/reports.int.test.ts',
    ],
  },
  {
    name: 'fuzz',
    tries: 'every route of the served document with generated requests, good and bad; bodies that unpack without end',
    files: ['services/token-api/test/fuzz.int.test.ts', 'services/token-api/test/compression.int.test.ts'],
  },
  {
    name: 'ssrf',
    tries:
      'webhooks to addresses inside, in every spelling, by redirect, by name and by a name server that changes its mind',
    files: [
      'packages/shared/src/webhooks/read-target.test.ts',
      'services/quota-enforcer/test/targets.int.test.ts',
      'services/quota-enforcer/test/webhooks.int.test.ts',
      'services/quota-enforcer/test/https.int.test.ts',
    ],
  },
  {
    name: 'logs',
    tries: 'secrets, tokens and addresses in log lines, with debugging on',
    files: ['packages/shared/src/logging/logging.test.ts', 'services/token-api/test/logs.int.test.ts'],
  },
  {
    name: 'supplies',
    tries:
      'packages that are too fresh or run scripts; their bill of materials, licences, and what the registry knows of them',
    files: ['adversarial/test/fresh-releases.int.test.ts'],
  },
]
