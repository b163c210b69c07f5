import { LRUCache } from 'lru-cache'

/** How long what was learned is believed. */
export interface RecallOptions<Answer> {
  /** Looks it up. @throws what the caller of `recall` shall see */
  readonly ask: (key: string) => Promise<Answer>
  /** Until then the answer stands without a question; after it, it is asked for anew behind the scenes. */
  readonly freshMs: number
  /** Until then the answer stands while the question fails. */
  readonly staleMs: number
  readonly maxEntries: number
  readonly now: () => number
}

/** A memory of answers. */
export interface Recall<Answer> {
  recall(key: string): Promise<Answer>
  /** The answer if it stands without a question. */
  peek(key: string): Answer | undefined
  /** Whether the key was asked for before. */
  has(key: string): boolean
  /** Whatever `isGone` says goes, so that it is asked for anew. */
  forget(isGone: (answer: Answer) => boolean): void
}

interface Entry<Answer> {
  readonly answer: Answer
  readonly askedAtMs: number
  askAgainAtMs: number
}

const RETRY_MS = 1_000

/** Makes a bounded memory that asks once for what several want at the same time. */
export function createRecall<Answer>(options: RecallOptions<Answer>): Recall<Answer> {
  const { ask, freshMs, staleMs, maxEntries, now } = options
  const entries = new LRUCache<string, Entry<Answer>>({ max: maxEntries })
  const asking = new Map<string, Promise<Answer>>()

  /** Also when it was asked in the future: the clock was set back, and an answer would stand for as long as that was far. */
  const isStale = ({ askedAtMs }: Entry<Answer>) => now() < askedAtMs || now() - askedAtMs >= staleMs
  const askOnce = (key: string): Promise<Answer> => {
    const underWay = asking.get(key)
    if (underWay !== undefined) return underWay
    const askedAtMs = now()
    const question = ask(key)
      .then((answer) => {
        // Forgotten meanwhile: the answer may be older than the reason to forget.
        if (asking.get(key) !== question) return answer
        entries.set(key, { answer, askedAtMs, askAgainAtMs: askedAtMs + freshMs })
        return answer
      })
      .finally(() => {
        if (asking.get(key) === question) asking.delete(key)
      })
    asking.set(key, question)
    return question
  }
  return {
    recall: async (key) => {
      const entry = entries.get(key)
      if (entry === undefined || isStale(entry)) return askOnce(key)
      if (now() >= entry.askAgainAtMs) {
        entry.askAgainAtMs = now() + RETRY_MS
        askOnce(key).catch(() => undefined)
      }
      return entry.answer
    },
    peek: (key) => {
      const entry = entries.get(key)
      if (entry === undefined || now() >= entry.askAgainAtMs || isStale(entry)) return undefined
      return entry.answer
    },
    has: (key) => entries.has(key),
    forget: (isGone) => {
      asking.clear()
      for (const [key, { answer }] of [...entries]) if (isGone(answer)) entries.delete(key)
    },
  }
}
