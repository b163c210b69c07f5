/** A request for a hold, as the model looks at it. */
export interface WantedHold {
  readonly id: string
  readonly organization_id: string
  readonly user_id: string
  readonly session_id: string
  readonly total_tokens: number
  readonly idempotency_key?: string | undefined
}

interface Limits {
  readonly limit: number | null
  readonly userLimit: number | null
}

interface Answer {
  outcome: 'held' | 'refused' | 'conflict' | 'unknown_organization'
  id: string | null
  remaining: string | null
}

/** What `reserve_tokens` has to answer, one request after the other, of organizations that have used nothing. */
export class HoldModel {
  readonly #limits: ReadonlyMap<string, Limits>
  readonly #holds: WantedHold[] = []

  constructor(limits: ReadonlyMap<string, Limits>) {
    this.#limits = limits
  }

  knows(organizationId: string): boolean {
    return this.#limits.has(organizationId)
  }

  heldBy(organizationId: string, userId?: string): number {
    return this.#holds
      .filter((hold) => hold.organization_id === organizationId && (userId ?? hold.user_id) === hold.user_id)
      .reduce((sum, hold) => sum + hold.total_tokens, 0)
  }

  reserve(requests: readonly WantedHold[]): Answer[] {
    // Of each request that was decided on in this call: what its budgets had left then.
    const rooms = new Map<string, number | null>()
    const answers = requests.map((request) => this.#answer(request, rooms))
    return answers.map((answer, place) => {
      const request = requests[place]
      if (request === undefined || answer.outcome === 'unknown_organization') return answer
      const room = rooms.has(nameOf(request))
        ? rooms.get(nameOf(request))
        : roomOf(this.#limits.get(request.organization_id)?.limit ?? null, this.heldBy(request.organization_id))
      return { ...answer, remaining: room === null || room === undefined ? null : String(Math.max(0, room)) }
    })
  }

  #answer(request: WantedHold, rooms: Map<string, number | null>): Answer {
    const limits = this.#limits.get(request.organization_id)
    if (limits === undefined) return { outcome: 'unknown_organization', id: null, remaining: null }
    const known = this.#holds.find(
      (hold) => hold.id === request.id || (isKeyed(hold) && nameOf(hold) === nameOf(request)),
    )
    if (known !== undefined) {
      const isSame = (['user_id', 'session_id', 'total_tokens'] as const).every((name) => known[name] === request[name])
      return { outcome: isSame ? 'held' : 'conflict', id: known.id, remaining: null }
    }
    if (rooms.has(nameOf(request))) return { outcome: 'refused', id: null, remaining: null }
    const rest = this.#rest(request, limits)
    const fits = rest === null || rest >= request.total_tokens
    if (fits) this.#holds.push(request)
    if (rest !== null) rooms.set(nameOf(request), this.#rest(request, limits))
    return { outcome: fits ? 'held' : 'refused', id: fits ? request.id : null, remaining: null }
  }

  #rest({ organization_id, user_id }: WantedHold, { limit, userLimit }: Limits): number | null {
    const rests = [
      roomOf(limit, this.heldBy(organization_id)),
      roomOf(userLimit, this.heldBy(organization_id, user_id)),
    ].filter((rest) => rest !== null)
    return rests.length === 0 ? null : Math.min(...rests)
  }
}

const isKeyed = (hold: WantedHold) => hold.idempotency_key !== undefined
const nameOf = (hold: WantedHold) => `${hold.organization_id} ${hold.idempotency_key ?? hold.id}`
const roomOf = (limit: number | null, taken: number) => (limit === null ? null : limit - taken)
