import type { Store } from './bind-store.ts'
import type { ActOf } from './manners/act.ts'
import type { QuotaAccess } from './quota/authorize-quota.ts'
import type { AwaitForce } from './quota/await-force.ts'
import { deleteQuota } from './routes/delete-quota.ts'
import { getDecisions } from './routes/get-decisions.ts'
import { getGrants } from './routes/get-grants.ts'
import { getQuota } from './routes/get-quota.ts'
import { postEnforcement } from './routes/post-enforcement.ts'
import { postGrantVoid } from './routes/post-grant-void.ts'
import { postGrants } from './routes/post-grants.ts'
import { postUserEnforcement } from './routes/post-user-enforcement.ts'
import { putQuota } from './routes/put-quota.ts'
import type { App } from './routes/typed-app.ts'
import { userDefaultQuota } from './routes/user-default.ts'
import { userQuota } from './routes/user-quota.ts'

/** What the quota routes stand on. */
export interface QuotaRouteDependencies {
  readonly store: Store
  /** Never rejects. */
  readonly wakeEnforcer: (organizationId: string) => Promise<void>
  readonly actOf: ActOf
  readonly awaitForce: AwaitForce
}

/** Adds limits, grants, manual acts and decisions. */
export function addQuotaRoutes(
  app: App,
  { store, wakeEnforcer, actOf, awaitForce }: QuotaRouteDependencies,
  { verifySupabase, authenticateKey }: Omit<QuotaAccess, 'findMember'>,
): void {
  const { findMember, loadPosition, setQuota } = store
  const access = { verifySupabase, authenticateKey, findMember }
  getQuota(app, { access, loadPosition })
  putQuota(app, { access, loadPosition, setQuota, wakeEnforcer })
  deleteQuota(app, { access, loadPosition, setQuota, wakeEnforcer })
  userQuota(app, { access, store, wakeEnforcer })
  userDefaultQuota(app, { access, store, wakeEnforcer })
  getGrants(app, { access, store })
  postGrants(app, { access, store, wakeEnforcer })
  postGrantVoid(app, { access, store, wakeEnforcer })
  postEnforcement(app, { access, store, wakeEnforcer, actOf, awaitForce })
  postUserEnforcement(app, { access, store, wakeEnforcer, actOf, awaitForce })
  getDecisions(app, { access, store })
}
