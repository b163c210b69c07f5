import type { Mutation } from '../mutation.ts'

const API = 'services/token-api/src'

/** Faults by which somebody would get in, or see, what is not theirs. */
export const ACCESS: readonly Mutation[] = [
  {
    name: 'skip-the-version-check',
    fault: 'a token from before a downgrade is still good',
    edits: [
      { file: `${API}/gate/gate.ts`, find: '  if (claims.ver < version', replace: '  if (claims.ver < 0 * version' },
    ],
    test: {
      file: `${API}/gate/gate.test.ts`,
      title: 'a token carries both versions: whichever rises supersedes it',
    },
  },
  {
    name: 'skip-the-lease',
    fault: 'a gate believes its copy for ever',
    edits: [
      { file: `${API}/gate/lease.ts`, find: 'monotonicNow() < heldUntilMs', replace: 'monotonicNow() !== heldUntilMs' },
    ],
    test: {
      file: `${API}/gate/gate.test.ts`,
      title: 'a lease counts from when its proof was asked for, and never shrinks',
    },
  },
  {
    name: 'fail-open',
    fault: 'a closed gate lets everybody pass while it cannot tell',
    edits: [
      {
        file: `${API}/gate/gate.ts`,
        find: "  if (!leased && settings.failMode === 'closed') return",
        replace: "  if (!leased && settings.failMode !== 'closed') return",
      },
    ],
    test: { file: `${API}/gate/gate.test.ts`, title: 'without a lease a closed gate refuses everybody' },
  },
  {
    name: 'lapse-by-hand',
    fault: 'what was ordered by hand ends with the period',
    edits: [
      {
        file: `${API}/gate/gate.ts`,
        find: '  return !(state.lapses === true && Date.parse(state.period_end) <= nowMs)',
        replace: '  return !(Date.parse(state.period_end) <= nowMs)',
      },
    ],
    test: {
      file: `${API}/gate/gate.test.ts`,
      title: 'what does not lapse ({}) refuses until somebody decides',
      stands: 'what does not lapse (%j) refuses until somebody decides',
    },
  },
  {
    name: 'older-state-wins',
    fault: 'the read copy takes an older enforcement state',
    edits: [
      {
        file: 'services/quota-enforcer/src/publish-script.ts',
        find: '  return compare(revision, than.revision) > 0',
        replace: '  return true',
      },
    ],
    test: {
      file: 'services/quota-enforcer/test/publish.int.test.ts',
      title: 'whatever the order of arrival, the copy is the highest revision, beyond the digits of a double too',
    },
  },
  {
    name: 'accept-alg-none',
    fault: 'an access token without a signature is good',
    edits: [
      {
        file: `${API}/tokens/verify-access-token.ts`,
        find: '    const held = findKey(decodeProtectedHeader(token), keys)\n',
        replace: `    if (decodeProtectedHeader(token).alg === 'none') {
      const unsigned = accessTokenClaims.safeParse(JSON.parse(Buffer.from(parts[1] ?? '', 'base64url').toString()))
      if (unsigned.success) return { claims: unsigned.data }
    }
    const held = findKey(decodeProtectedHeader(token), keys)\n`,
      },
    ],
    test: { file: `${API}/tokens/verify-access-token.test.ts`, title: 'alg none, no signature' },
  },
  {
    name: 'remember-past-expiry',
    fault: 'a token that was seen before is good after its end',
    edits: [
      {
        file: `${API}/tokens/verify-access-token.ts`,
        find: 'found.claims.exp * 1_000 > now() ? { claims',
        replace: 'found.claims.exp * 1_000 > 0 ? { claims',
      },
    ],
    test: {
      file: `${API}/tokens/verify-access-token.test.ts`,
      title: 'a token expires at exp, also one that was seen before',
    },
  },
  {
    name: 'no-reuse-detection',
    fault: 'a refresh token that was used before is just refused',
    edits: [
      {
        file: 'infra/supabase/schemas/40-functions/continue_login.sql',
        find: "    revoked := tollgate.end_logins(array[held.id], 'refresh_reused');\n",
        replace: '',
      },
    ],
    test: {
      file: 'services/token-api/test/refresh.int.test.ts',
      title: 'with a token that was used before ends the whole family, on every instance and before the answer',
    },
  },
  {
    name: 'trust-the-tenant-header',
    fault: "the proxy hands a client's X-Tenant-Id on",
    edits: [
      {
        file: 'infra/nginx/tollgate.conf.template',
        find: '  proxy_set_header X-Tenant-Id $tollgate_tenant;',
        replace: '  proxy_set_header X-Tenant-Id $http_x_tenant_id;',
      },
    ],
    test: { file: 'infra/nginx/test/passing.int.test.ts', title: 'X-Tenant-Id: evil' },
  },
  {
    name: 'drop-a-policy',
    fault: 'a policy of usage_metrics lets everybody read everything',
    edits: [
      {
        file: 'infra/supabase/schemas/50-policies/tenants.sql',
        find: 'create policy usage_metrics_read on public.usage_metrics for select to authenticated using (\n',
        replace:
          'create policy usage_metrics_read on public.usage_metrics for select to authenticated using (true or\n',
      },
    ],
    test: {
      file: 'infra/supabase/test/row-level-security.int.test.ts',
      title: 'shows to user the rows of ["user"] alone',
      stands: 'shows to %s the rows of %j alone',
    },
  },
  {
    name: 'skip-membership',
    fault: 'usage of somebody who is no member is recorded',
    edits: [
      {
        file: 'infra/supabase/schemas/40-functions/judge_events.sql',
        find: '      when not e.member then',
        replace: '      when e.member is null then',
      },
    ],
    test: {
      file: 'infra/supabase/test/ingest-usage.int.test.ts',
      title: 'judges the membership where the API could not, and rejects without touching the neighbours',
    },
  },
  {
    name: 'secret-in-the-log',
    fault: 'tokens and keys stand in log lines',
    edits: [
      {
        file: 'packages/shared/src/logging/redact.ts',
        find: '  return SECRET_TEXT.reduce(',
        replace: '  return SECRET_TEXT.slice(0, 0).reduce(',
      },
    ],
    test: {
      file: 'packages/shared/src/logging/logging.test.ts',
      title: 'no secret survives, wherever it stands in a line',
    },
  },
  {
    name: 'skip-the-ssrf-check',
    fault: 'a webhook may name an address inside',
    edits: [
      {
        file: 'packages/shared/src/webhooks/read-target.ts',
        find: '  if (!allowPrivate && ipaddr.isValid(host) &&',
        replace: '  if (!allowPrivate && !ipaddr.isValid(host) &&',
      },
    ],
    test: {
      file: 'packages/shared/src/webhooks/read-target.test.ts',
      title: 'https://127.0.0.1/ is refused',
      stands: "'https://127.0.0.1/'",
    },
  },
  {
    name: 'trust-the-name-server',
    fault: 'a webhook goes wherever its name leads',
    edits: [
      {
        file: 'services/quota-enforcer/src/send-webhook.ts',
        find: '      if (!allowPrivate && !addresses.every(',
        replace: '      if (!allowPrivate && !addresses.some(',
      },
    ],
    test: {
      file: 'services/quota-enforcer/test/targets.int.test.ts',
      title: 'a name that leads to 169.254.169.254 is not called, also beside a public address',
      stands: 'a name that leads to %s is not called, also beside a public address',
    },
  },
]
