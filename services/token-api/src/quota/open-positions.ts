import type { PublishedPosition } from '@tollgate/shared/contracts'
import { createPositionMarks, type MarkOptions } from '@tollgate/shared/queues'
import type { PositionRow } from '@tollgate/shared/store'
import {
  createPositionCopy,
  type FollowPositionsOptions,
  followPositions,
  type PositionCopy,
} from './follow-positions.ts'
import { type HeaderSink, setRateLimit } from './rate-limit-headers.ts'

/** Where organizations stand, as this instance knows it. */
export interface Positions {
  /** What was published last, which says when a decision is due; undefined for an organization of which nothing was. */
  find: PositionCopy['get']
  /** Sets the RateLimit headers of an answer, if the organization is known and has a limit. */
  show(reply: HeaderSink, organizationId: string): void
  /** Takes over what Postgres has just said of an organization, and has it published. */
  learn(row: PositionRow): void
  /** Has an organization published anew that has changed otherwise. */
  mark(organizationId: string): void
  stop(): void
}

/** What positions stand on. */
export interface PositionsOptions extends Omit<FollowPositionsOptions, 'apply' | 'redis'> {
  readonly redis: FollowPositionsOptions['redis'] & MarkOptions['redis']
  readonly now: () => number
}

/** Opens the copy and follows what is published. */
export function openPositions(options: PositionsOptions): Positions {
  const { redis, namespace, onError, now } = options
  const published = createPositionCopy()
  const shown = createPositionCopy()
  const apply = (position: PublishedPosition) => {
    published.apply(position)
    shown.apply(position)
  }
  const marks = createPositionMarks({ redis, namespace, onError })
  const unfollow = followPositions({ ...options, apply })
  return {
    find: published.get,
    show: (reply, organizationId) => setRateLimit(reply, shown.get(organizationId), now()),
    learn: ({ organization_id, limit_tokens, used_tokens, reserved_tokens, period_start, period_end, as_of }) => {
      const figures = { limit_tokens, used_tokens, reserved_tokens, period_start, period_end }
      shown.apply({ organization_id, ...figures, evaluate_at: null, as_of_ms: Date.parse(as_of) })
      marks.mark([organization_id])
    },
    mark: (organizationId) => marks.mark([organizationId]),
    stop: () => {
      unfollow()
      marks.stop()
    },
  }
}
