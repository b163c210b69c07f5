import { ProblemError, READING_SCOPES, SCOPES, type Scope } from '@tollgate/shared/contracts'
import type { RpcRow } from '@tollgate/shared/store'
import { type Caller, requireReach } from '../access/identify-caller.ts'

/**
 * Nobody gives away more than the own rights: a key its own scopes and for no longer than it is good itself, an
 * organization's admin those that read.
 * @throws ProblemError `forbidden`
 */
export function authorizeNewKey(
  caller: Caller,
  wanted: { scopes: Scope[]; organization_id: string | null; expires_at: string | null },
): void {
  const reach = requireReach(caller, 'keys:write')
  if (reach !== 'all' && reach.organizationId !== wanted.organization_id) {
    throw forbidden('The credential makes keys of its own organization alone.')
  }
  requireNoLongerLife(caller, wanted.expires_at)
  const grantable = grantableScopes(caller)
  const excess = wanted.scopes.filter((scope) => !grantable.includes(scope))
  if (excess.length === 0) return
  throw forbidden(`The credential cannot give the scopes ${excess.join(', ')}.`)
}

/**
 * A key that the caller may rotate or revoke. Rotation hands out the text of a key, and with it all that it may do.
 * @throws ProblemError `not-found`, also for a key of somebody else: nobody can try out ids; `forbidden`
 */
export function authorizeChange(
  caller: Caller,
  key: RpcRow<'list_service_keys'> | undefined,
  verb: 'rotate' | 'revoke',
): RpcRow<'list_service_keys'> {
  const reach = requireReach(caller, 'keys:write')
  if (key === undefined || (reach !== 'all' && reach.organizationId !== key.organization_id)) {
    throw new ProblemError('not-found', 'There is no such key.')
  }
  const grantable: readonly string[] = grantableScopes(caller)
  if (verb === 'rotate' && !key.scopes.every((scope) => grantable.includes(scope))) {
    throw forbidden('The key may do more than the credential can give.')
  }
  if (verb === 'rotate') requireNoLongerLife(caller, key.expires_at)
  return key
}

// Else a key that is good for an hour would be good for ever, under another text.
function requireNoLongerLife(caller: Caller, expiresAt: string | null): void {
  const own = caller.kind === 'key' ? caller.key.expires_at : null
  if (own === null || (expiresAt !== null && Date.parse(expiresAt) <= Date.parse(own))) return
  throw forbidden(`A key gives none that outlives it: the credential expires at ${own}.`)
}

function grantableScopes(caller: Caller): readonly Scope[] {
  if (caller.kind === 'key') return SCOPES.filter((scope) => caller.key.scopes.includes(scope))
  return caller.role === 'super_admin' ? SCOPES : READING_SCOPES
}

function forbidden(detail: string): ProblemError {
  return new ProblemError('forbidden', detail)
}
