import type { RejectionReason } from '@tollgate/shared/contracts'
import { StoreError } from '@tollgate/shared/store'
import { LRUCache } from 'lru-cache'

/** Whom an event concerns. */
export interface Membership {
  readonly organizationId: string
  readonly userId: string
}

/** `member` false: nobody could be asked, the worker judges. */
export type MembershipVerdict =
  | { readonly member: boolean }
  | {
      readonly reason: Extract<RejectionReason, 'unknown_user' | 'unknown_organization' | 'user_not_in_organization'>
    }

/** Judges all memberships of a batch with one question at most for its users; answers in order. */
export type CheckMembership = (memberships: readonly Membership[]) => Promise<MembershipVerdict[]>

/** What the check needs from outside. */
export interface MembershipOptions {
  /** The known ones of the users, each with its organization. @throws StoreError */
  readonly findMembers: (userIds: string[]) => Promise<{ user_id: string; organization_id: string | null }[]>
  /** @throws StoreError */
  readonly organizationExists: (organizationId: string) => Promise<boolean>
  readonly now: () => number
}

/** What was answered, and when. */
interface Cache {
  /** User → organization; undefined: there is no such user. */
  readonly homes: LRUCache<string, { readonly organizationId: string | null | undefined; readonly atMs: number }>
  readonly organizations: LRUCache<string, { readonly exists: boolean; readonly atMs: number }>
  /** While Postgres is away it is asked once a second at most. */
  askAgainAtMs: number
}

const MEMBER: MembershipVerdict = { member: true }
const TRUSTED_MS = 60_000
/** A "no" is asked again soon: the user may have just been added or moved. */
const REFUSAL_TRUSTED_MS = 5_000
const RETRY_MS = 1_000
const MAX_USERS = 50_000
const MAX_ORGANIZATIONS = 10_000
/** Organizations looked up for one batch, to tell an unknown one from a foreign user. */
const MAX_LOOKUPS = 8

/** Makes the check with its bounded cache. */
export function createMembershipCheck(options: MembershipOptions): CheckMembership {
  const cache: Cache = {
    homes: new LRUCache({ max: MAX_USERS }),
    organizations: new LRUCache({ max: MAX_ORGANIZATIONS }),
    askAgainAtMs: Number.NEGATIVE_INFINITY,
  }
  return async (memberships) => {
    const nowMs = options.now()
    // Almost always all are known.
    if (memberships.every((one) => isMember(one, cache, nowMs))) return memberships.map(() => MEMBER)
    await learnHomes(memberships, cache, options)
    const refused = memberships.filter((one) => 'reason' in judge(one, cache, options.now()))
    if (refused.length > 0) await learnOrganizations(refused, cache, options)
    return memberships.map((one) => judge(one, cache, options.now()))
  }
}

function isMember({ userId, organizationId }: Membership, { homes }: Cache, nowMs: number): boolean {
  const home = homes.get(userId)
  return home !== undefined && home.organizationId === organizationId && isWithin(nowMs - home.atMs, TRUSTED_MS)
}

function judge(membership: Membership, cache: Cache, nowMs: number): MembershipVerdict {
  if (isMember(membership, cache, nowMs)) return MEMBER
  if (!isSettled(membership, cache, nowMs)) return { member: false }
  const home = cache.homes.get(membership.userId)?.organizationId
  if (cache.organizations.get(membership.organizationId)?.exists === false) return { reason: 'unknown_organization' }
  return { reason: home === undefined ? 'unknown_user' : 'user_not_in_organization' }
}

function isSettled({ userId, organizationId }: Membership, { homes }: Cache, nowMs: number): boolean {
  const home = homes.get(userId)
  if (home === undefined) return false
  return isWithin(nowMs - home.atMs, home.organizationId === organizationId ? TRUSTED_MS : REFUSAL_TRUSTED_MS)
}

// Below zero: the clock was set back, and what was learned would be trusted for as long as that was far.
const isWithin = (ageMs: number, trustedMs: number): boolean => ageMs >= 0 && ageMs < trustedMs

async function learnHomes(
  memberships: readonly Membership[],
  cache: Cache,
  { findMembers, now }: MembershipOptions,
): Promise<void> {
  const open = memberships.filter((one) => !isSettled(one, cache, now()))
  const ids = [...new Set(open.map(({ userId }) => userId))]
  if (ids.length === 0) return
  await ask(cache, now, async () => {
    const found = new Map((await findMembers(ids)).map((row) => [row.user_id, row.organization_id]))
    for (const id of ids) cache.homes.set(id, { organizationId: found.get(id), atMs: now() })
  })
}

async function learnOrganizations(
  refused: readonly Membership[],
  cache: Cache,
  { organizationExists, now }: MembershipOptions,
): Promise<void> {
  const isKnown = (id: string) => {
    const atMs = cache.organizations.get(id)?.atMs
    return atMs !== undefined && isWithin(now() - atMs, REFUSAL_TRUSTED_MS)
  }
  const unknown = [...new Set(refused.map(({ organizationId }) => organizationId))].filter((id) => !isKnown(id))
  await ask(cache, now, async () => {
    for (const id of unknown.slice(0, MAX_LOOKUPS)) {
      const exists = await organizationExists(id)
      cache.organizations.set(id, { exists, atMs: now() })
    }
  })
}

/** Runs a question; while Postgres is away it is left open. */
async function ask(cache: Cache, now: () => number, question: () => Promise<void>): Promise<void> {
  const waitMs = cache.askAgainAtMs - now()
  if (waitMs > 0 && waitMs <= RETRY_MS) return
  try {
    await question()
  } catch (error) {
    if (!(error instanceof StoreError) || !error.retryable) throw error
    cache.askAgainAtMs = now() + RETRY_MS
  }
}
