import { chooseWeighted, createRandom, type Random } from './random.ts'
import type { TraceRequest } from './read-trace.ts'
import type { DemoModel, Storyline } from './storylines.ts'

/** An organization to which requests may be assigned; `userIds` must not be empty. */
export interface Assignee {
  readonly organizationId: string
  readonly userIds: readonly string[]
  readonly storyline: Storyline
}

/** A request with all that the trace does not say. */
export interface AssignedRequest extends TraceRequest, DemoModel {
  readonly organizationId: string
  readonly userId: string
  readonly sessionId: string
}

/** The seed of the demo unless another is asked for. */
export const DEFAULT_SEED = 2023

const OPEN_SESSIONS = 3
const NEW_SESSION_CHANCE = 0.2
const SESSION_MESSAGES = { least: 3, most: 12 }

interface OpenSession {
  readonly id: string
  readonly model: DemoModel
  left: number
}

interface Member {
  readonly userId: string
  readonly open: OpenSession[]
}

interface Tenant {
  readonly assignee: Assignee
  readonly members: readonly Member[]
  sessions: number
}

function startSession(tenant: Tenant, member: Member, random: Random, label: string): OpenSession {
  tenant.sessions += 1
  const { storyline } = tenant.assignee
  const { least, most } = SESSION_MESSAGES
  const session = {
    id: `${label}-${storyline.domain}-${tenant.sessions}`,
    model: chooseWeighted(random, storyline.models),
    left: least + Math.floor(random() * (most - least + 1)),
  }
  member.open.push(session)
  return session
}

/** A user keeps a few conversations going and stays in each for a number of messages. */
function takeSession(tenant: Tenant, member: Member, random: Random, label: string): OpenSession {
  const { open } = member
  const wantsNew = random() < NEW_SESSION_CHANCE && open.length < OPEN_SESSIONS
  const current = wantsNew ? undefined : open[Math.floor(random() * open.length)]
  const session = current ?? startSession(tenant, member, random, label)
  session.left -= 1
  if (session.left === 0) open.splice(open.indexOf(session), 1)
  return session
}

/**
 * Gives each request an organization, a user, a session and a model. The same seed and assignees give the same result,
 * and the first n requests of the trace the first n of it; no count is touched.
 */
export function assignRequests(
  requests: readonly TraceRequest[],
  assignees: readonly Assignee[],
  seed = DEFAULT_SEED,
): AssignedRequest[] {
  const random = createRandom(seed)
  const label = seed === DEFAULT_SEED ? 'demo' : `demo-seed-${seed}`
  const tenants = assignees.map((assignee) => {
    const members = assignee.userIds.map((userId) => ({ weight: 1, value: { userId, open: [] } }))
    const tenant = { assignee, members: members.map(({ value }) => value), sessions: 0 }
    return { weight: assignee.storyline.share, value: { tenant, members } }
  })
  return requests.map((request) => {
    const { tenant, members } = chooseWeighted(random, tenants)
    const member: Member = chooseWeighted(random, members)
    const { id: sessionId, model } = takeSession(tenant, member, random, label)
    return { ...request, ...model, organizationId: tenant.assignee.organizationId, userId: member.userId, sessionId }
  })
}
