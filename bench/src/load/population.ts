import { randomUUID } from 'node:crypto'
import type pg from 'pg'

/** A user with the chat sessions that its events belong to. */
export interface Member {
  readonly organizationId: string
  readonly userId: string
  readonly sessionIds: readonly string[]
}

/** How many of each there are. */
export interface PopulationSize {
  readonly organizations: number
  readonly usersEach: number
  readonly sessionsEach: number
  /** Monthly limit of each organization in LLM tokens; null: unlimited. */
  readonly limit: number | null
}

const insertOrganizations = `insert into public.organizations (id, name, domain, plan_type, librechat_config)
  select id, 'Bench', 'bench-' || id, 'enterprise', jsonb_build_object('max_tokens', $2::bigint) from unnest($1::uuid[]) id`
const insertUsers = `insert into auth.users (id, email) select id, id || '@bench.example' from unnest($1::uuid[]) id`
const insertProfiles = `insert into public.profiles (id, organization_id, email, full_name)
  select id, organization_id, id || '@bench.example', 'Bench' from unnest($1::uuid[], $2::uuid[]) p(id, organization_id)`

/** Adds organizations and users; sessions come into being by their events. */
export async function addPopulation(db: pg.Pool, size: PopulationSize): Promise<Member[]> {
  const organizationIds = Array.from({ length: size.organizations }, () => randomUUID())
  const members = organizationIds.flatMap((organizationId) =>
    Array.from({ length: size.usersEach }, () => ({
      organizationId,
      userId: randomUUID(),
      sessionIds: Array.from({ length: size.sessionsEach }, () => randomUUID()),
    })),
  )
  const userIds = members.map(({ userId }) => userId)
  await db.query(insertOrganizations, [organizationIds, size.limit])
  await db.query(insertUsers, [userIds])
  await db.query(insertProfiles, [userIds, members.map(({ organizationId }) => organizationId)])
  return members
}
