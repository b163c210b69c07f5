import type { Adapter, AdapterPayload } from 'oidc-provider'

/**
 * Storage of the peer: one map for each of its models. The one that it brings along keeps a thousand entries and forgets
 * the rest, tokens that are still to be asked for among them.
 */
export class MapAdapter implements Adapter {
  readonly #entries = new Map<string, AdapterPayload>()

  async upsert(id: string, payload: AdapterPayload): Promise<void> {
    this.#entries.set(id, payload)
  }

  async find(id: string): Promise<AdapterPayload | undefined> {
    return this.#entries.get(id)
  }

  async consume(id: string): Promise<void> {
    const entry = this.#entries.get(id)
    if (entry !== undefined) entry.consumed = Math.floor(Date.now() / 1_000)
  }

  async destroy(id: string): Promise<void> {
    this.#entries.delete(id)
  }

  async revokeByGrantId(grantId: string): Promise<void> {
    for (const [id, entry] of this.#entries) if (entry.grantId === grantId) this.#entries.delete(id)
  }

  /** The bench has no device flow and no sessions. */
  async findByUserCode(): Promise<undefined> {}
  async findByUid(): Promise<undefined> {}
}
