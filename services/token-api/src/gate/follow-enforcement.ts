import { setTimeout as delay } from 'node:timers/promises'
import type { Rpc } from '@tollgate/shared/store'
import type { Redis } from 'ioredis'
import type { EnforcementCopy } from './enforcement-copy.ts'
import type { RevocationFollower } from './follow-revocations.ts'
import { gateKeys } from './gate-keys.ts'
import { BEAT_SCRIPT } from './gate-scripts.ts'
import type { Lease } from './lease.ts'
import { enforcementKey, loadFromPostgres, loadFromRedis, parseEnforcement } from './load-enforcement.ts'
import { noteSeen } from './note-seen.ts'

/** What following stands on. */
export interface FollowOptions {
  /** A connection of its own: it is only ever subscribed. */
  readonly subscriber: Redis
  /** Publishes the heartbeats and reads the hash. */
  readonly redis: Redis
  readonly rpc: Rpc
  readonly copy: EnforcementCopy
  readonly revocations: RevocationFollower
  readonly lease: Lease
  readonly leaseMs: number
  readonly namespace: string
  readonly instanceId: string
  readonly monotonicNow: () => number
  readonly onReload: (source: 'postgres' | 'redis') => void
  readonly onError: (error: unknown) => void
}

/** A running follower. */
export interface Follower {
  stop(): void
}

const BEAT_MS = 500
const POLL_MS = 1_000
const SAFETY_RELOAD_MS = 5_000
const MAX_OPEN_BEATS = 20

/** What changes while following. */
interface State {
  /** Rises with every connection of the subscriber: what belongs to an earlier one no longer counts. */
  epoch: number
  /** All was loaded after this epoch's subscription began, so that nothing can have been missed. */
  isSynced: boolean
  /** Nonce → when it was sent. */
  readonly beats: Map<string, number>
  beatCount: number
  /** When the latest heard heartbeat was sent. */
  heardAtMs: number
  loadedAtMs: number
  isLoading: boolean
  /** A fault is reported once until the next success. */
  isFailing: boolean
}

/**
 * Keeps the copy up to date and the lease renewed. Whoever hears its own heartbeat on the subscription has heard all
 * that was published before it; without heartbeats a successful read of Postgres does the same, once a second.
 */
export function followEnforcement(options: FollowOptions): Follower {
  const { subscriber } = options
  const stop = new AbortController()
  const state: State = {
    epoch: 0,
    isSynced: false,
    beats: new Map(),
    beatCount: 0,
    // Time for the first heartbeat to come round before Postgres is asked in its place.
    heardAtMs: options.monotonicNow(),
    loadedAtMs: Number.NEGATIVE_INFINITY,
    isLoading: false,
    isFailing: false,
  }
  const onReady = () => void subscribe(state, options, stop.signal)
  const onClose = () => beginEpoch(state)
  const onMessage = (channel: string, message: string) => receive(state, options, channel, message)
  subscriber.on('ready', onReady).on('close', onClose).on('message', onMessage)
  if (subscriber.status === 'ready') onReady()

  const tick = () => {
    beat(state, options)
    void pollWhenDue(state, options)
  }
  tick()
  const timer = setInterval(tick, BEAT_MS)
  return {
    stop: () => {
      stop.abort()
      clearInterval(timer)
      beginEpoch(state)
      subscriber.off('ready', onReady).off('close', onClose).off('message', onMessage)
      // Nobody has to wait for the lease of an instance that has stopped.
      options.redis.zrem(gateKeys(options.namespace).registry, options.instanceId).catch(() => undefined)
    },
  }
}

function beginEpoch(state: State): number {
  state.epoch += 1
  state.isSynced = false
  state.beats.clear()
  return state.epoch
}

const heartbeatChannel = ({ namespace, instanceId }: FollowOptions): string =>
  `${namespace}:gate-heartbeat:${instanceId}`

/** Subscribes and then loads everything: in this order, or what is published in between would be missed. */
async function subscribe(state: State, options: FollowOptions, stop: AbortSignal): Promise<void> {
  const epoch = beginEpoch(state)
  while (state.epoch === epoch && !stop.aborted) {
    try {
      const channels = [enforcementKey(options.namespace), heartbeatChannel(options), ...options.revocations.channels]
      await options.subscriber.subscribe(...channels)
      await loadAnywhere(state, options)
      if (state.epoch !== epoch) return
      state.isSynced = true
      beat(state, options)
      return
    } catch (error) {
      report(state, options, error)
      await delay(BEAT_MS, undefined, { signal: stop }).catch(() => undefined)
    }
  }
}

async function loadAnywhere(state: State, options: FollowOptions): Promise<void> {
  try {
    await reload(state, options)
  } catch (error) {
    const fromRedis = async () => {
      await loadFromRedis(options.redis, options.namespace, options.copy)
      await options.revocations.loadFromRedis()
    }
    await fromRedis().catch((second: unknown) => {
      throw new Error('enforcement can be read from neither Postgres nor Redis', { cause: [error, second] })
    })
    options.onReload('redis')
  }
}

async function reload(state: State, options: FollowOptions): Promise<void> {
  const { rpc, copy, revocations, onReload, monotonicNow } = options
  const begunAtMs = monotonicNow()
  await Promise.all([loadFromPostgres(rpc, copy), revocations.loadFromPostgres()])
  state.loadedAtMs = begunAtMs
  state.isFailing = false
  onReload('postgres')
  // Again and again: the Redis that comes back may be an empty one. While it is away there is nobody to tell.
  noteSeen(options.redis, options.namespace, copy.newest()).catch(() => undefined)
}

function receive(state: State, options: FollowOptions, channel: string, message: string): void {
  if (channel === heartbeatChannel(options)) {
    const sentAtMs = state.beats.get(message)
    state.beats.delete(message)
    // Beats are sent only when all is loaded, and those of an earlier connection are forgotten.
    if (sentAtMs === undefined) return
    state.heardAtMs = sentAtMs
    options.lease.renew(sentAtMs)
    return
  }
  try {
    if (!options.revocations.receive(channel, message)) options.copy.apply(parseEnforcement(message))
  } catch (error) {
    options.onError(new Error('a message to the gate cannot be read', { cause: error }))
  }
}

function beat(state: State, options: FollowOptions): void {
  if (!state.isSynced) return
  if (state.beats.size >= MAX_OPEN_BEATS) state.beats.clear()
  const nonce = `${state.epoch}.${++state.beatCount}`
  state.beats.set(nonce, options.monotonicNow())
  // Its absence on the subscription says all that this error could.
  const { registry, since } = gateKeys(options.namespace)
  options.redis
    .eval(BEAT_SCRIPT, 2, registry, since, options.instanceId, heartbeatChannel(options), nonce)
    .catch(() => undefined)
}

/**
 * Without heartbeats Postgres is read every second and renews the lease, after the instance has registered there: who
 * revokes has to know it. With heartbeats Postgres is read now and then, to be safe, and they alone renew.
 */
async function pollWhenDue(state: State, options: FollowOptions): Promise<void> {
  const begunAtMs = options.monotonicNow()
  const isDeaf = begunAtMs - state.heardAtMs > POLL_MS
  // A question without an answer makes ioredis replace a connection whose packets vanish.
  if (isDeaf && options.subscriber.status === 'ready') options.subscriber.ping().catch(() => undefined)
  const intervalMs = isDeaf ? POLL_MS : SAFETY_RELOAD_MS
  if (state.isLoading || begunAtMs - state.loadedAtMs < intervalMs) return
  state.isLoading = true
  try {
    if (isDeaf) {
      await options.rpc('register_deaf_gate', { instance_id: options.instanceId, lease_ms: options.leaseMs })
    }
    await reload(state, options)
    if (isDeaf) options.lease.renew(begunAtMs)
  } catch (error) {
    report(state, options, error)
  } finally {
    state.isLoading = false
  }
}

function report(state: State, { onError }: FollowOptions, fault: unknown): void {
  if (!state.isFailing) onError(fault)
  state.isFailing = true
}
