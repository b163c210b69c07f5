import { accessTokenClaims } from '@tollgate/shared/contracts'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { loginRow } from '../testing/claims.ts'
import { buildClaims } from './build-claims.ts'

const login = { issuedAt: 1_795_000_000, ttlSeconds: 86_400, tokenId: 'token-1', loginSessionId: 'session-1' }
const configOf = (changes: Parameters<typeof loginRow>[0]) =>
  buildClaims(loginRow(changes), login).organization.librechat_config

test('says who, where, and for how long', () => {
  expect(buildClaims(loginRow({ version: '7' }), login)).toMatchObject({
    iat: 1_795_000_000,
    exp: 1_795_086_400,
    iss: 'tollgate',
    aud: 'librechat',
    jti: 'token-1',
    sid: 'session-1',
    ver: 7,
    username: 'ada',
    organization: { domain: 'acme-research', plan_type: 'professional' },
  })
})

test('fills what the organization leaves open from its plan, field by field', () => {
  const plan_config = { enabled_models: ['gpt-4o-mini'], features: { file_upload: true, voice_chat: true } }
  const config = configOf({
    plan_config,
    librechat_config: { knowledge_bases: ['docs'], features: { voice_chat: false } },
  })
  expect(config).toMatchObject({
    enabled_models: ['gpt-4o-mini'],
    knowledge_bases: ['docs'],
    features: { file_upload: true, voice_chat: false, image_generation: false },
  })
})

test('an organization has no more than its plan, whatever its own config says', () => {
  const librechat_config = {
    enabled_models: ['gpt-5', 'gpt-4o-mini'],
    allowed_endpoints: ['openAI', 'google'],
    knowledge_bases: ['docs'],
    mcp_servers: ['github', 'linear'],
    features: { file_upload: true, voice_chat: true, code_interpreter: true },
  }
  const plan_config = {
    enabled_models: ['gpt-4o', 'gpt-4o-mini'],
    allowed_endpoints: ['openAI'],
    mcp_servers: ['linear'],
    features: { file_upload: false, voice_chat: true },
  }
  expect(configOf({ plan_config, librechat_config })).toMatchObject({
    enabled_models: ['gpt-4o-mini'],
    allowed_endpoints: ['openAI'],
    knowledge_bases: ['docs'],
    mcp_servers: ['linear'],
    features: { file_upload: false, voice_chat: true, code_interpreter: true },
  })
})

test('a plan that is missing or says nothing limits nothing', () => {
  const librechat_config = { enabled_models: ['gpt-5'], features: { voice_chat: true } }
  for (const plan_config of [null, {}, { features: 'all', enabled_models: 5 }]) {
    expect(configOf({ plan_config, librechat_config })).toMatchObject(librechat_config)
  }
})

test('the limit is the one that the quota enforces, whatever the stored config says', () => {
  expect(configOf({ librechat_config: { max_tokens: 5 }, limit_tokens: '100000' }).max_tokens).toBe(100_000)
  expect(configOf({ librechat_config: { max_tokens: 5 }, limit_tokens: null }).max_tokens).toBeNull()
})

test('a downgrade narrows and never grants', () => {
  const librechat_config = { enabled_models: ['gpt-4o', 'gpt-4o-mini'], features: { file_upload: true } }
  const reduced_config = {
    enabled_models: ['gpt-4o-mini', 'gpt-5'],
    features: { file_upload: false, voice_chat: true },
  }
  expect(configOf({ librechat_config, reduced_config })).toMatchObject({
    enabled_models: ['gpt-4o-mini'],
    features: { file_upload: false, voice_chat: false },
  })
})

test('a downgrade that cannot be read is a fault, and not no downgrade', () => {
  const reduced_config = { features: 'none' } as never
  expect(() => configOf({ reduced_config })).toThrow()
})

test('an organization whose row lacks something still signs in, under its id', () => {
  const claims = buildClaims(loginRow({ name: null, domain: null, plan_type: null }), login)
  expect(accessTokenClaims.safeParse(claims).success).toBe(true)
  expect(claims.organization).toMatchObject({ name: '', domain: claims.organization.id, plan_type: '' })
})

test('any stored config gives claims that an access token may have', () => {
  fc.assert(
    fc.property(
      fc.anything(),
      fc.anything(),
      fc.option(fc.bigInt(0n, 2n ** 52n)),
      (librechat_config, plan_config, limit) => {
        const row = loginRow({ librechat_config, plan_config, limit_tokens: limit === null ? null : String(limit) })
        const claims = buildClaims(row, login)
        expect(accessTokenClaims.safeParse(claims).success).toBe(true)
        expect(claims.organization.librechat_config.max_tokens).toBe(limit === null ? null : Number(limit))
      },
    ),
  )
})
