import type { AcceptedEvent } from '@tollgate/shared/contracts'
import { beforeEach, expect, test } from 'vitest'
import { createAccessCheck } from '../gate/check-access-token.ts'
import type { GateVerdict } from '../gate/gate.ts'
import { loginRow, NOW_MS } from '../testing/claims.ts'
import { createTokens, type Tokens } from './index.ts'
import { importKeys, type TokenKeys } from './keys.ts'
import { createAccessTokenVerifier } from './verify-access-token.ts'

let keys: TokenKeys
let tokens: Tokens
let verdict: GateVerdict
let refusals: string[]
let recorded: AcceptedEvent[]

beforeEach(async () => {
  keys = await importKeys('kT9vPq2LxZ7mWc4RbN8sJd5HfG3aYe6U')
  verdict = { accepted: true }
  refusals = []
  recorded = []
  const check = createAccessCheck({
    verify: createAccessTokenVerifier(keys.access, () => NOW_MS),
    judge: () => verdict,
    onRefusal: (reason) => refusals.push(reason),
  })
  const login = {
    findLogin: async (userId: string) => (userId === 'nobody' ? undefined : loginRow({ user_id: userId })),
    admit: async (events: AcceptedEvent[]) => recorded.push(...events),
    ttlSeconds: 3_600,
    now: () => NOW_MS + 999,
    newId: () => 'id-1',
  }
  tokens = createTokens(login, keys, check)
})

test('a token is made for a user by id, and its login is on record first', async () => {
  const token = await tokens.generateLibreChatToken('user-1')
  expect(await tokens.verifyToken(token)).toMatchObject({ sub: 'user-1', iat: NOW_MS / 1_000, sid: 'id-1' })
  expect(recorded).toEqual([
    {
      type: 'login.started',
      source: 'tollgate/token-api',
      id: 'id-1',
      time: '2026-11-23T10:00:00.000Z',
      received_at: '2026-11-23T10:00:00.000Z',
      member: true,
      organization_id: 'ac3e0000-0000-4000-8000-000000000001',
      user_id: 'user-1',
      login_session_id: 'id-1',
      expires_at: '2026-11-23T11:00:00.000Z',
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
