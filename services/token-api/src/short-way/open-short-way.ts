import { readCanonicalHold } from '@tollgate/shared/contracts'
import type { Memories } from '../add-routes.ts'
import { answerAccepted } from '../ingest/answer-events.ts'
import { takePost } from '../ingest/take-post.ts'
import { countKeys } from '../manners/count-keys.ts'
import type { LimitOptions } from '../manners/limit-rates.ts'
import type { Metering } from '../metering.ts'
import { JSON_LIMIT_BYTES } from '../plugins/json-body.ts'
import { takeRequestId } from '../plugins/request-ids.ts'
import { constantHeaders } from '../plugins/security.ts'
import { hold } from '../reservations/hold.ts'
import type { RouteDependencies } from '../route-dependencies.ts'
import { EVENT_TYPES, EVENTS_LIMIT_BYTES } from '../routes/post-events.ts'
import type { App } from '../routes/typed-app.ts'
import { answerAtOnce } from './answer-at-once.ts'
import { answerPosts, type ShortPost } from './answer-posts.ts'
import type { HandOver } from './hand-over.ts'

/** What the short way stands on. */
export interface ShortWayDependencies extends RouteDependencies {
  /** Absent: nobody is limited. */
  readonly rates?: LimitOptions
  readonly stopping?: AbortSignal
}

/** Puts what is asked and posted at each model call before everything that is done for a request. */
export function openShortWay(
  app: App,
  dependencies: ShortWayDependencies,
  memories: Memories,
  handOver: HandOver,
): void {
  const { config, judge, positions, serviceKeys, rates, newId, stopping } = dependencies
  const headersFor = constantHeaders(config.CORS_ORIGINS)
  const shared = { takeRequestId: takeRequestId(newId), isStopping: () => stopping?.aborted ?? false }
  const answer = answerAtOnce({
    ...shared,
    recognise: memories.recognise,
    recallSession: memories.memory.recall,
    judge,
    showPosition: positions.show,
    headersFor,
  })
  const answerPost = answerPosts({
    ...shared,
    posts: shortPosts(memories.metering),
    recallKey: serviceKeys.recall,
    countKey: rates && countKeys(rates.limits, rates.counts),
    headers: headersFor(undefined),
    handOver,
  })
  app.server.removeAllListeners('request').on('request', (request, response) => {
    try {
      if (answer(request, response) || answerPost(request, response)) return
    } catch (error) {
      // Whatever is wrong here, the route answers for it.
      app.log.error({ err: error }, 'a request could not be answered at once')
    }
    handOver.route(request, response)
  })
}

function shortPosts({ events, holds }: Metering): Readonly<Record<string, ShortPost>> {
  return {
    '/v1/events': {
      scope: 'events:write',
      contentTypes: EVENT_TYPES,
      bodyLimitBytes: EVENTS_LIMIT_BYTES,
      status: 202,
      prepare:
        (body) =>
        ({ key, contentType, reply }) => {
          const post = { body, contentType, submitter: { kind: 'server', key }, waits: false } as const
          return takePost(post, reply, events).then(answerAccepted)
        },
    },
    '/v1/reservations': {
      scope: 'reservations:write',
      contentTypes: ['application/json'],
      bodyLimitBytes: JSON_LIMIT_BYTES,
      status: 201,
      prepare: (body) => {
        const asked = readCanonicalHold(body)
        return asked && (({ key, reply }) => hold({ asked, key }, reply, holds))
      },
    },
  }
}
