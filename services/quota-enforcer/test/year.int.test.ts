import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openTraveller } from './virtual-time.ts'
import { evaluateOver, openWorld, type World } from './world.ts'

let world: World
beforeAll(async () => {
  world = await openWorld()
})
afterAll(() => world.close())

interface Period {
  readonly start: number
  readonly end: number
}

/** Lives through a leap year and more: each period the limit is used up and passed, and each end gives access back. */
async function liveThrough(zone: string, anchor: number, from: string, until: string): Promise<Period[]> {
  const clock = { at: Date.parse(from) }
  const traveller = await openTraveller(world, evaluateOver, clock)
  const { id } = traveller
  const settings =
    'insert into tollgate.organization_settings (organization_id, time_zone, period_anchor_day) values ($1, $2, $3)'
  await world.admin.query(settings, [id, zone, anchor])
  const periods: Period[] = []
  while (clock.at < Date.parse(until)) {
    const { period_start, period_end } = await traveller.position()
    const [start, end] = [Date.parse(period_start), Date.parse(period_end)]
    periods.push({ start, end })
    await traveller.use(1_200)
    await traveller.sweep()
    expect((await traveller.position()).state).toBe('revoked')
    // Usage of the period's last millisecond is the period's, whoever is in charge by then.
    clock.at = end - 1
    await traveller.use(1)
    await traveller.sweep()
    expect(await traveller.position()).toMatchObject({ state: 'revoked', used_tokens: '1201' })
    expect(await traveller.nextDue()).toBe(end)
    clock.at = end
    // However many enforcers come at this instant, access comes back once.
    await Promise.all(Array.from({ length: 4 }, () => traveller.evaluate()))
    expect(await traveller.position()).toMatchObject({ state: 'active', used_tokens: '0' })
  }
  const sql = `select to_state, count(*)::integer as count from tollgate.quota_decisions where organization_id = $1 group by 1 order by 1`
  const { rows } = await world.admin.query(sql, [id])
  const count = periods.length
  expect(rows).toEqual([
    { to_state: 'active', count },
    { to_state: 'revoked', count },
  ])
  return periods
}

/** What a clock on the wall shows when the periods begin. */
function openings(periods: readonly Period[], zone: string): string[] {
  const format = new Intl.DateTimeFormat('sv-SE', { timeZone: zone, dateStyle: 'short', timeStyle: 'short' })
  return periods.map(({ start }) => format.format(start))
}
const hours = ({ start, end }: Period): number => (end - start) / 3_600_000

test('a leap year from the 31st on, in Berlin: month ends, the leap day, both clock changes', async () => {
  const periods = await liveThrough('Europe/Berlin', 31, '2028-01-05T10:00:00Z', '2029-01-05T00:00:00Z')
  expect(openings(periods, 'Europe/Berlin')).toEqual(
    [
      '2027-12-31',
      '2028-01-31',
      '2028-02-29',
      '2028-03-31',
      '2028-04-30',
      '2028-05-31',
      '2028-06-30',
      '2028-07-31',
      '2028-08-31',
      '2028-09-30',
      '2028-10-31',
      '2028-11-30',
      '2028-12-31',
    ].map((day) => `${day} 00:00`),
  )
  // 2028-03-26 has 23 hours, 2028-10-29 has 25.
  expect(periods.map(hours).slice(1, 3)).toEqual([29 * 24, 31 * 24 - 1])
  expect(periods.map(hours)[9]).toBe(31 * 24 + 1)
})

test('the same year in calendar months in New York, whose clocks change on other days', async () => {
  const periods = await liveThrough('America/New_York', 1, '2028-01-05T10:00:00Z', '2029-01-02T00:00:00Z')
  expect(openings(periods, 'America/New_York')).toEqual(
    Array.from(
      { length: 13 },
      (_, month) => `${month < 12 ? 2028 : 2029}-${String((month % 12) + 1).padStart(2, '0')}-01 00:00`,
    ),
  )
  expect(hours(periods[2] ?? expect.fail())).toBe(31 * 24 - 1)
  expect(hours(periods[10] ?? expect.fail())).toBe(30 * 24 + 1)
})

test('the same year in Kathmandu, a quarter of an hour off, from the leap day on', async () => {
  const periods = await liveThrough('Asia/Kathmandu', 29, '2028-01-05T10:00:00Z', '2029-03-05T00:00:00Z')
  const days = openings(periods, 'Asia/Kathmandu')
  expect(days.slice(0, 4)).toEqual(['2027-12-29 00:00', '2028-01-29 00:00', '2028-02-29 00:00', '2028-03-29 00:00'])
  // 2029 has no 29th of February.
  expect(days.slice(-2)).toEqual(['2029-01-29 00:00', '2029-02-28 00:00'])
})

/** Has an endpoint told; gives what it was told. */
async function addEndpoint(organization_id: string, types: string[]) {
  const endpoint = { id: randomUUID(), organization_id, url: 'https://hooks.example.com/', sealed_secret: 'v1.test' }
  await world.rpcOf.api('create_webhook', {
    change: { ...endpoint, types, actor: 'test' },
  })
  const sql = `select type, payload -> 'data' as data from tollgate.webhook_deliveries where endpoint_id = $1 order by seq`
  return async () =>
    (await world.admin.query<{ type: string; data: Record<string, string | null> }>(sql, [endpoint.id])).rows
}

/** Has an endpoint told of revocations and of access that comes back; gives what it was told, and whether of the user. */
async function listen(organizationId: string) {
  const told = await addEndpoint(organizationId, ['quota.revoked', 'quota.restored'])
  return async () => (await told()).map(({ type, data }) => [type, data.user_id && 'user'] as const)
}

/** An organization that passes its limit, and its one user another, at a time. */
async function stopBoth(at: number) {
  const clock = { at }
  const traveller = await openTraveller(world, evaluateOver, clock)
  const { id } = traveller
  await world.setUserLimit(id, id, 1_000)
  const told = await listen(id)
  await traveller.use(1_200)
  await traveller.sweep()
  return { clock, traveller, id, told }
}

/** A period is passed, and its end as well before anybody is there; `missed` happens then. */
async function missEnd(missed: (traveller: Awaited<ReturnType<typeof openTraveller>>) => Promise<unknown>) {
  const { clock, traveller, id, told } = await stopBoth(Date.UTC(2028, 5, 10))
  clock.at = Date.UTC(2028, 6, 4)
  expect(await traveller.position()).toMatchObject({ state: 'active', reason: null, decision_id: null, version: '1' })
  await missed(traveller)
  await traveller.sweep()
  const decisions = `select to_state, reason, effective_at, version from tollgate.quota_decisions
    where organization_id = $1 and user_id is not distinct from $2 order by seq`
  const flagged = 'select after_revocation from tollgate.usage_events where organization_id = $1 order by time'
  return {
    traveller,
    ofOrganization: (await world.admin.query(decisions, [id, null])).rows,
    ofUser: (await world.admin.query(decisions, [id, id])).rows,
    told: await told(),
    flagged: (await world.admin.query(flagged, [id])).rows.map((row) => row.after_revocation),
  }
}

const first = { to_state: 'revoked', reason: 'max_tokens_120_percent', effective_at: null, version: '1' }
const july = new Date(Date.UTC(2028, 6, 1))

test('who was let in by the end of a period alone and is stopped again: both are on record, told, and supersede tokens', async () => {
  const { traveller, ...seen } = await missEnd((traveller) => traveller.use(1_300))
  const decisions = [
    first,
    { to_state: 'active', reason: 'period_over', effective_at: july, version: '2' },
    { ...first, version: '3' },
  ]
  const types = ['quota.revoked', 'quota.restored', 'quota.revoked']
  expect({ ...seen, told: seen.told.toSorted() }).toEqual({
    ofOrganization: decisions,
    ofUser: decisions,
    told: types
      .flatMap((type) => [
        [type, null],
        [type, 'user'],
      ])
      .toSorted(),
    // What was used while nobody was there was let through.
    flagged: [false, false],
  })
  expect((await traveller.position()).version).toBe('3')
})

test('who was let in by the end of a period alone is on record as let in since then', async () => {
  const { ofOrganization, ofUser, told, flagged } = await missEnd((traveller) => traveller.use(10))
  const decisions = [first, { to_state: 'active', reason: 'within_limit', effective_at: july, version: '2' }]
  expect([ofOrganization, ofUser]).toEqual([decisions, decisions])
  expect(told).toHaveLength(4)
  expect(flagged).toEqual([false, false])
})

test('a change of time zone in the middle of the year waits for the next period', async () => {
  const clock = { at: Date.UTC(2028, 5, 10) }
  const traveller = await openTraveller(world, evaluateOver, clock)
  await traveller.use(1_200)
  await traveller.sweep()
  await world.admin.query('select tollgate.change_schedule($1, $2, 20, $3)', [
    traveller.id,
    'Asia/Tokyo',
    new Date(clock.at),
  ])
  expect(await traveller.nextDue()).toBe(Date.UTC(2028, 6, 1))
  clock.at = Date.UTC(2028, 6, 1)
  await traveller.sweep()
  expect((await traveller.position()).state).toBe('active')
  expect(await traveller.nextDue()).toBe(Date.UTC(2028, 6, 19, 15))
})

test('who is stopped again when an exemption ends is told so again, and once', async () => {
  const { clock, traveller, id, told } = await stopBoth(Date.UTC(2028, 8, 10))
  const [at, until] = [clock.at, clock.at + 86_400_000].map((ms) => new Date(ms).toISOString())
  const enforcement_order = {
    ...{ organization_id: id, action: 'exempt' as const, until, reason: 'a day', actor: 'ada', at: at ?? '' },
  }
  await world.rpcOf.api('order_enforcement', { enforcement_order })
  await world.rpcOf.api('order_user_enforcement', { enforcement_order: { ...enforcement_order, user_id: id } })
  await traveller.sweep()
  clock.at = Date.parse(until ?? '')
  await Promise.all(Array.from({ length: 4 }, () => traveller.evaluate()))
  expect((await traveller.position()).state).toBe('revoked')
  const types = (await told()).map(([type, of]) => `${of ?? 'organization'}: ${type}`).toSorted()
  expect(types).toEqual(
    ['organization', 'user'].flatMap((of) => ['restored', 'revoked', 'revoked'].map((type) => `${of}: quota.${type}`)),
  )
})

test('a grace begins anew in each period, also where nobody was there when the last one ended', async () => {
  const hour = 3_600_000
  const clock = { at: Date.UTC(2028, 9, 10) }
  const traveller = await openTraveller(world, evaluateOver, clock)
  const { id } = traveller
  const steps = [{ at_percent: 100, state: 'revoked' as const, grace_seconds: 3_600 }]
  const policy = { steps, downgrade_to: {} }
  await world.setLimit(id, 1_000, policy)
  await world.setUserLimit(id, id, 1_000)
  await world.admin.query('update tollgate.user_quotas set policy = $2 where user_id = $1', [id, policy])
  const states = async () => {
    await traveller.sweep()
    const sql = 'select state from tollgate.user_enforcement_states where user_id = $1'
    return [(await traveller.position()).state, (await world.admin.query(sql, [id])).rows[0].state]
  }
  for (const month of [9, 10]) {
    clock.at = Date.UTC(2028, month, 10)
    await traveller.use(1_000)
    expect(await states()).toEqual(['warned', 'warned'])
    clock.at += hour
    expect(await states()).toEqual(['revoked', 'revoked'])
  }
})

test('a grant that was given before the periods were set expires all the same', async () => {
  const clock = { at: Date.UTC(2028, 10, 20) }
  const traveller = await openTraveller(world, evaluateOver, clock)
  const { id } = traveller
  const expires = clock.at + 86_400_000
  const [at, expires_at] = [clock.at, expires].map((ms) => new Date(ms).toISOString())
  const given = { organization_id: id, amount: 500, reason: 'welcome', idempotency_key: 'k', actor: 'ada' }
  await world.rpcOf.api('create_grant', { grant_order: { ...given, expires_at, at: at ?? '' } })
  await world.admin.query('select tollgate.change_schedule($1, $2, 15, $3)', [id, 'Asia/Tokyo', at])
  await traveller.use(700)
  await traveller.sweep()
  expect((await traveller.position()).limit_tokens).toBe('1500')
  clock.at = expires
  await traveller.sweep()
  expect(await traveller.position()).toMatchObject({ limit_tokens: '1500', grants_due: false })
  clock.at = Date.UTC(2029, 0, 1)
  await traveller.sweep()
  expect((await traveller.position()).limit_tokens).toBe('1000')
})

test('each period that was used is reported, also one that began and ended while nobody was there', async () => {
  const clock = { at: Date.UTC(2028, 3, 10) }
  const traveller = await openTraveller(world, evaluateOver, clock)
  const told = await addEndpoint(traveller.id, ['period.ended'])
  await traveller.use(100)
  await traveller.sweep()
  clock.at = Date.UTC(2028, 4, 10)
  await traveller.use(20)
  clock.at = Date.UTC(2028, 7, 10)
  for (let time = 0; time < 2; time++) await traveller.sweep()
  const reports = (await told()).map(({ data }) => [data.period_start, data.period_end, data.used_tokens])
  expect(reports).toEqual([
    ['2028-04-01T00:00:00+00:00', '2028-05-01T00:00:00+00:00', '100'],
    ['2028-05-01T00:00:00+00:00', '2028-06-01T00:00:00+00:00', '20'],
  ])
})

test('a period without a limit takes nothing from a grant, also where a limit is set before that period is settled', async () => {
  const clock = { at: Date.UTC(2028, 6, 20) }
  const traveller = await openTraveller(world, evaluateOver, clock)
  const { id } = traveller
  await world.setLimit(id, null)
  const grant = { organization_id: id, amount: 500, reason: 'welcome', idempotency_key: 'k', actor: 'ada' }
  await world.rpcOf.api('create_grant', { grant_order: { ...grant, at: new Date(clock.at).toISOString() } })
  await traveller.use(5_000)
  await traveller.sweep()
  clock.at = Date.UTC(2028, 7, 1)
  await world.setLimit(id, 1_000)
  await traveller.sweep()
  expect((await traveller.position()).limit_tokens).toBe('1500')
})
