import { ProblemError } from '@tollgate/shared/contracts'
import { type CallerAccess, identifyCaller, requireReach, within } from '../access/identify-caller.ts'

/**
 * Whose rows of an organization a caller sees, as row level security has it: null for all of them (its admins,
 * super_admins, keys with `usage:read`), else the user whose own they are.
 * @throws ProblemError `unauthenticated`, `forbidden` (the same for an organization that does not exist), `unavailable`
 */
export async function authorizeReport(
  authorization: string | undefined,
  organizationId: string,
  access: CallerAccess,
): Promise<string | null> {
  const caller = await identifyCaller(authorization, access)
  if (caller.kind === 'user' && caller.role === 'user') {
    if (caller.organizationId === organizationId) return caller.userId
    throw new ProblemError('forbidden', 'The credential reaches its own organization alone.')
  }
  within(requireReach(caller, 'usage:read'), organizationId)
  return null
}
