import { createPositionMarks } from '@tollgate/shared/queues'
import { type AuditOptions, startAuditing } from './audit-positions.ts'
import { type KeepHoldsOptions, startKeepingHolds } from './keep-holds.ts'
import {
  createPromptPublisher,
  createPublishPositions,
  type PromptPublisher,
  startPublishingPositions,
} from './publish-positions.ts'

/** What the loops stand on. */
export interface KeepPositionsOptions extends Omit<AuditOptions, 'publish' | 'sliceIntervalMs' | 'settleMs'> {
  readonly sweepIntervalMs: number
  readonly auditIntervalMs?: number
  readonly metrics: AuditOptions['metrics'] & KeepHoldsOptions['metrics']
}

/** What keeps the holds and the published positions right. */
export interface PositionKeeper {
  /** Has a position published at once. */
  readonly publish: PromptPublisher['publish']
  stop(): Promise<void>
}

/** Starts the loops: holds that run out, positions that changed, and the audit of both. */
export function startKeepingPositions(dependencies: KeepPositionsOptions): PositionKeeper {
  const { rpc, redis, namespace, sweepIntervalMs, auditIntervalMs, metrics, logger, now } = dependencies
  const warn = (message: string) => (error: unknown) => logger.warn({ err: error }, message)
  const marks = createPositionMarks({ redis, namespace, onError: warn('changed positions were not marked') })
  const publish = createPublishPositions({ redis, namespace })
  const prompt = createPromptPublisher(
    { rpc, onError: warn('a position was not published at once') },
    publish,
    marks.mark,
  )
  const loops = [
    startKeepingHolds({
      ...{ rpc, metrics, now, intervalMs: sweepIntervalMs },
      onChanged: marks.mark,
      onError: warn('holds could not be given back'),
    }),
    startPublishingPositions(
      { rpc, redis, namespace, now, onError: warn('positions were not published; the audit brings them') },
      publish,
    ),
    startAuditing({
      ...{ rpc, redis, namespace, publish, metrics, logger, now },
      ...(auditIntervalMs === undefined ? {} : { sliceIntervalMs: auditIntervalMs, settleMs: auditIntervalMs }),
    }),
  ]
  return {
    publish: prompt.publish,
    stop: async () => {
      await prompt.drain()
      marks.stop()
      await Promise.all(loops.map((loop) => loop.stop()))
    },
  }
}
