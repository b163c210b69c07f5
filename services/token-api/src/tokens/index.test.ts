import { beforeEach, expect, test } from 'vitest'
import { createAccessCheck } from '../gate/check-access-token.ts'
import type { GateVerdict } from '../gate/gate.ts'
import { loginRow, NOW_MS } from '../testing/claims.ts'
import { createTokens, type Tokens } from './index.ts'
import { importKeys, type TokenKeys } from './keys.ts'
import type { LoginStart } from './start-login.ts'
import { createAccessTokenVerifier } from './verify-access-token.ts'

let keys: TokenKeys
let tokens: Tokens
let verdict: GateVerdict
let refusals: string[]
let recorded: LoginStart[]

beforeEach(async () => {
  keys = await importKeys('kT9vPq2LxZ7mWc4RbN8sJd5HfG3aYe6U', 'Zq8wErT5yUiOp2AsDfG7hJkL4zXcVbN1')
  verdict = { accepted: true }
  refusals = []
  recorded = []
  const check = createAccessCheck({
    verify: createAccessTokenVerifier(keys.access, () => NOW_MS),
    judge: () => verdict,
    onRefusal: (reason) => refusals.push(reason),
  })
  const login = {
    startLogin: async (start: LoginStart) => {
      if (start.user_id === 'nobody') return undefined
      recorded.push(start)
      return { session_id: start.session_id, login: loginRow({ user_id: start.user_id }), signed_out: false }
    },
    refreshKey: keys.refresh,
    lifetimes: { access: 3_600, refresh: 7_200, session: 86_400 },
    now: () => NOW_MS + 999,
    newId: () => 'id-1',
    observe: false,
  }
  tokens = createTokens(login, keys, check)
})

test('a token is made for a user by id, and its login is on record first', async () => {
  const token = await tokens.generateLibreChatToken('user-1')
  expect(await tokens.verifyToken(token)).toMatchObject({ sub: 'user-1', iat: NOW_MS / 1_000, sid: 'id-1' })
  expect(recorded).toEqual([
    {
      session_id: 'id-1',
      observe: false,
      user_id: 'user-1',
      kind: 'server',
      supabase_session_id: undefined,
      user_agent: undefined,
      issued_at: '2026-11-23T10:00:00.000Z',
      access_expires_at: '2026-11-23T11:00:00.000Z',
      ends_at: '2026-11-23T11:00:00.000Z',
    },
  ])
})

test('no token without an organization', async () => {
  await expect(tokens.generateLibreChatToken('nobody')).rejects.toMatchObject({ code: 'forbidden' })
  expect(recorded).toEqual([])
})

test('verifyToken is null for what is refused, by the token or by the gate', async () => {
  const token = await tokens.generateLibreChatToken('user-1')
  expect(await tokens.verifyToken(`${token}x`)).toBeNull()
  expect(await tokens.verifyToken('')).toBeNull()
  verdict = { accepted: false, reason: 'gate_unavailable' }
  expect(await tokens.verifyToken(token)).toBeNull()
  expect(refusals).toEqual(['bad_signature', 'malformed', 'gate_unavailable'])
})
