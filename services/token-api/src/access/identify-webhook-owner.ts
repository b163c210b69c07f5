import { EVERY_ORGANIZATION, ProblemError } from '@tollgate/shared/contracts'
import { type CallerAccess, identifyCaller, requireReach, within } from './identify-caller.ts'

/** Whose endpoints a caller may manage, and who that is on record; `organization_id` null: the operator's. */
export interface WebhookOwner {
  readonly organization_id: string | null
  readonly actor: string
}

/** The owner that a path names (`all`: the operator), if the caller may act for it. @throws ProblemError */
export async function identifyWebhookOwner(
  authorization: string | undefined,
  owner: string,
  access: CallerAccess,
): Promise<WebhookOwner> {
  const caller = await identifyCaller(authorization, access)
  const reach = requireReach(caller, 'webhooks:write')
  if (owner !== EVERY_ORGANIZATION) return { organization_id: within(reach, owner) ?? owner, actor: caller.actor }
  if (reach === 'all') return { organization_id: null, actor: caller.actor }
  throw new ProblemError(
    'forbidden',
    'Endpoints of every organization are for super_admins and keys of the operator alone.',
  )
}
