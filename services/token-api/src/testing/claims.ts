import type { AccessTokenClaims, Enforcement } from '@tollgate/shared/contracts'
import type { RpcRow } from '@tollgate/shared/store'

/** When the tests of tokens take place: 2026-11-23T10:00:00Z. */
export const NOW_MS = Date.UTC(2026, 10, 23, 10)
const ORGANIZATION_ID = 'ac3e0000-0000-4000-8000-000000000001'

/** A login row, with what a test is about on top. */
export function loginRow(changes: Partial<RpcRow<'find_login'>> = {}): RpcRow<'find_login'> {
  return {
    user_id: '5b1f5a5e-0000-4000-8000-000000000001',
    email: 'ada@acme.example',
    full_name: 'Ada Meyer',
    username: null,
    avatar_url: null,
    role: 'user',
    organization_id: ORGANIZATION_ID,
    name: 'Acme Research',
    domain: 'acme-research',
    plan_type: 'professional',
    librechat_config: {},
    plan_config: {},
    limit_tokens: null,
    state: 'active',
    version: '0',
    reduced_config: null,
    reason: null,
    decision_id: null,
    period_end: null,
    user_reduced_config: null,
    is_user_revoked: false,
    ...changes,
  }
}

/** Claims of a token issued at `NOW_MS` for an hour, with what a test is about on top. */
export function sampleClaims(changes: Partial<AccessTokenClaims> = {}): AccessTokenClaims {
  return {
    sub: '5b1f5a5e-0000-4000-8000-000000000001',
    email: 'ada@acme.example',
    name: 'Ada Meyer',
    username: 'ada',
    avatar: 'https://ui-avatars.com/api/?name=Ada%20Meyer&background=0D9488&color=fff',
    role: 'user',
    organization: {
      id: ORGANIZATION_ID,
      name: 'Acme Research',
      domain: 'acme-research',
      plan_type: 'professional',
      librechat_config: {
        enabled_models: ['gpt-4o'],
        max_tokens: 100_000,
        knowledge_bases: [],
        mcp_servers: [],
        custom_instructions: '',
        allowed_endpoints: ['openAI'],
        features: { file_upload: true, image_generation: false, voice_chat: false, code_interpreter: false },
      },
    },
    iat: NOW_MS / 1_000,
    exp: NOW_MS / 1_000 + 3_600,
    iss: 'tollgate',
    aud: 'librechat',
    jti: '0b5d7f1c-0000-4000-8000-000000000001',
    sid: '0b5d7f1c-0000-4000-8000-000000000002',
    ver: 3,
    ...changes,
  }
}

/** An enforcement message, with what a test is about on top. */
export function sampleEnforcement(changes: Partial<Enforcement> = {}): Enforcement {
  return {
    organization_id: ORGANIZATION_ID,
    state: 'active',
    version: 3,
    revision: '10',
    reason: null,
    decision_id: null,
    period_end: '2026-12-01T00:00:00+00:00',
    reduced_config: null,
    ...changes,
  }
}
