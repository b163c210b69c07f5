import { ProblemError } from '@tollgate/shared/contracts'
import type { Store } from '../bind-store.ts'

/**
 * Tells an empty report from one of an organization that does not exist; asked only where nothing was found.
 * @throws ProblemError `not-found`, `unavailable`
 */
export async function requireOrganization(id: string, store: Pick<Store, 'organizationExists'>): Promise<void> {
  if (!(await store.organizationExists(id))) throw new ProblemError('not-found', 'There is no such organization.')
}
