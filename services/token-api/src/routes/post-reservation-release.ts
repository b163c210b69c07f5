import { releaseAnswer, uuid } from '@tollgate/shared/contracts'
import { z } from 'zod'
import type { ServiceKey } from '../ingest/authenticate-service-key.ts'
import type { Positions } from '../quota/open-positions.ts'
import { explainMisfit } from '../reservations/explain-hold.ts'
import type { Holds } from '../reservations/open-holds.ts'
import { type App, bearer, problems } from './typed-app.ts'

/** What the route needs. */
export interface PostReservationRelease {
  readonly release: Holds['release']
  readonly positions: Pick<Positions, 'show' | 'mark'>
}

/** `POST /v1/reservations/:id/release`: gives the hold back at once; its call was not made. */
export function postReservationRelease(app: App, { release, positions }: PostReservationRelease): void {
  const schema = {
    summary: 'Give back what was held for a call that was not made',
    security: bearer,
    params: z.object({ id: uuid }),
    response: { 200: releaseAnswer, ...problems(400, 401, 403, 404, 409, 503) },
  }
  app.post('/v1/reservations/:id/release', { schema }, async (request, reply) => {
    const { id } = request.params
    const key = request.getDecorator<ServiceKey>('serviceKey')
    const row = await release({ id, organization_id: key.organization_id })
    if (row.outcome !== 'released' || row.state === null) throw explainMisfit(row)
    if (row.organization_id !== null) {
      positions.mark(row.organization_id)
      positions.show(reply, row.organization_id)
    }
    return { id, state: row.state }
  })
}
