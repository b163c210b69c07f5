export {
  type JobData,
  type JobInput,
  type QueueAddress,
  type QueueDefinition,
  type QueueName,
  queueAddress,
  queueAddresses,
  queueCatalog,
} from './catalog.ts'
export {
  type ConnectionOptions,
  createProducerConnection,
  createWorkerConnection,
  disconnectAll,
} from './connection.ts'
export {
  type Consumer,
  type ConsumerOptions,
  createConsumer,
  type DeadLetter,
  type JobContext,
  type JobHandler,
} from './consumer.ts'
export { BackpressureError, createGroupCommit, type GroupCommit, type GroupCommitOptions } from './group-commit.ts'
export { createPositionMarks, type MarkOptions, type PositionMarks } from './mark-positions.ts'
export { type AddOptions, createProducer, type Producer, type ProducerOptions } from './producer.ts'
export { DeadLetterError, EvictionError, QueueError, type QueueErrorCode } from './queue-error.ts'
export { type Backlog, readBacklog, sizedJobId } from './read-backlog.ts'
export { readAppendFsync, requireNoEviction } from './redis-settings.ts'
export { shardOf } from './shard-of.ts'
export { createResultWaiter, type JobOutcome, type ResultWaiter, type ResultWaiterOptions } from './wait-for-result.ts'
