import { randomUUID } from 'node:crypto'
import { createTestDatabase, type TestDatabase } from '@tollgate/local-stack/testing'
import fc from 'fast-check'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

let database: TestDatabase
let admin: pg.Client

beforeAll(async () => {
  database = await createTestDatabase()
  admin = new pg.Client(database.databaseUrl)
  await admin.connect()
})
afterAll(async () => {
  await admin?.end()
  await database?.drop()
})

interface Period {
  readonly start: Date
  readonly end: Date
}

const periodOf = async (at: string | Date, zone: string, anchor = 1): Promise<Period> => {
  const sql = 'select tollgate.period_start($1, $2, $3) as start, tollgate.period_end($1, $2, $3) as end'
  const { rows } = await admin.query<Period>(sql, [at, zone, anchor])
  return rows[0] ?? expect.fail('no period')
}
const iso = ({ start, end }: Period): string[] => [start.toISOString(), end.toISOString()]

// Independent of PostgreSQL: what a clock on the wall shows there.
const wallClock = (at: Date, zone: string): { year: number; month: number; day: number; time: string } => {
  const format = new Intl.DateTimeFormat('en-GB', {
    timeZone: zone,
    dateStyle: 'short',
    timeStyle: 'medium',
    calendar: 'gregory',
    numberingSystem: 'latn',
  })
  const [, day = '', month = '', year = '', time = ''] =
    /^(\d+)\/(\d+)\/(\d+), (.+)$/.exec(format.format(at)) ?? expect.fail(format.format(at))
  return { year: Number(year), month: Number(month), day: Number(day), time }
}
const daysIn = (year: number, month: number): number => new Date(Date.UTC(year, month, 0)).getUTCDate()

describe('periods', () => {
  it.each([
    ['calendar month', '2026-11-25T12:00:00Z', 'UTC', 1, '2026-11-01T00:00:00.000Z', '2026-12-01T00:00:00.000Z'],
    [
      'over both clock changes of Berlin',
      '2026-03-29T12:00:00Z',
      'Europe/Berlin',
      1,
      '2026-02-28T23:00:00.000Z',
      '2026-03-31T22:00:00.000Z',
    ],
    [
      'the same in autumn',
      '2026-10-25T12:00:00Z',
      'Europe/Berlin',
      1,
      '2026-09-30T22:00:00.000Z',
      '2026-10-31T23:00:00.000Z',
    ],
    [
      'the 31st in a short month',
      '2026-02-28T12:00:00Z',
      'UTC',
      31,
      '2026-02-28T00:00:00.000Z',
      '2026-03-31T00:00:00.000Z',
    ],
    ['the day before', '2026-02-27T12:00:00Z', 'UTC', 31, '2026-01-31T00:00:00.000Z', '2026-02-28T00:00:00.000Z'],
    ['the leap day', '2028-02-29T12:00:00Z', 'UTC', 30, '2028-02-29T00:00:00.000Z', '2028-03-30T00:00:00.000Z'],
    [
      'over the new year',
      '2027-01-05T00:00:00Z',
      'America/New_York',
      15,
      '2026-12-15T05:00:00.000Z',
      '2027-01-15T05:00:00.000Z',
    ],
    // Cairo has no midnight on 2026-04-24: the clock goes from 23:59 to 01:00.
    [
      'a midnight that does not exist',
      '2026-04-25T00:00:00Z',
      'Africa/Cairo',
      24,
      '2026-04-23T22:00:00.000Z',
      '2026-05-23T21:00:00.000Z',
    ],
  ])('%s', async (_, at, zone, anchor, start, end) => {
    expect(iso(await periodOf(at, zone, anchor))).toEqual([start, end])
  })

  it('hold their instant, follow one another without gap, and open at local midnight of the anchor day', async () => {
    const zones = [
      'UTC',
      'Europe/Berlin',
      'America/New_York',
      'America/Havana',
      'Asia/Kathmandu',
      'Australia/Lord_Howe',
      'Pacific/Apia',
      'Africa/Cairo',
      'Asia/Beirut',
    ]
    const instants = fc.date({ min: new Date('2015-01-01'), max: new Date('2032-01-01'), noInvalidDate: true })
    await fc.assert(
      fc.asyncProperty(
        instants,
        fc.constantFrom(...zones),
        fc.integer({ min: 1, max: 31 }),
        async (at, zone, anchor) => {
          const period = await periodOf(at, zone, anchor)
          expect(period.start.getTime()).toBeLessThanOrEqual(at.getTime())
          expect(period.end.getTime()).toBeGreaterThan(at.getTime())
          expect((await periodOf(period.end, zone, anchor)).start).toEqual(period.end)
          expect((await periodOf(new Date(period.start.getTime() - 1), zone, anchor)).end).toEqual(period.start)
          const { year, month, day, time } = wallClock(period.start, zone)
          expect(day).toBe(Math.min(anchor, daysIn(year, month)))
          // Some zones skip midnight when summer begins.
          expect(['00:00:00', '01:00:00']).toContain(time)
        },
      ),
      { numRuns: 150 },
    )
  })
})

describe('a change of time zone or anchor day', () => {
  const change = (organization: string, zone: string, anchor: number, at: string) =>
    admin.query('select tollgate.change_schedule($1, $2, $3, $4)', [organization, zone, anchor, at])
  const count = (organization: string) =>
    admin.query('insert into tollgate.period_totals (organization_id, period_start) values ($1, now())', [organization])
  const at = async (organization: string, instant: string) => {
    const sql =
      'select time_zone, anchor_day, period_start as start, period_end as end from tollgate.organization_period($1, $2)'
    const { rows } = await admin.query<Period & { time_zone: string; anchor_day: number }>(sql, [organization, instant])
    expect(rows).toHaveLength(1)
    const row = rows[0] ?? expect.fail('no period')
    return [row.time_zone, row.anchor_day, ...iso(row)]
  }

  it('holds at once for an organization without usage', async () => {
    const organization = randomUUID()
    await admin.query(
      'insert into tollgate.organization_settings (organization_id, time_zone, period_anchor_day) values ($1, $2, 20)',
      [organization, 'Asia/Tokyo'],
    )
    expect(await at(organization, '2026-11-25T00:00:00Z')).toEqual([
      'Asia/Tokyo',
      20,
      '2026-11-19T15:00:00.000Z',
      '2026-12-19T15:00:00.000Z',
    ])
  })

  it('starts with the next period, which is neither hours long nor leaves a gap', async () => {
    const organization = randomUUID()
    await count(organization)
    await change(organization, 'America/New_York', 1, '2026-11-15T00:00:00Z')
    expect(await at(organization, '2026-11-30T23:59:59Z')).toEqual([
      'UTC',
      1,
      '2026-11-01T00:00:00.000Z',
      '2026-12-01T00:00:00.000Z',
    ])
    // In New York December begins five hours later: those belong to December's allowance.
    expect(await at(organization, '2026-12-01T00:00:00Z')).toEqual([
      'America/New_York',
      1,
      '2026-12-01T00:00:00.000Z',
      '2027-01-01T05:00:00.000Z',
    ])
    expect(await at(organization, '2027-01-01T05:00:00Z')).toEqual([
      'America/New_York',
      1,
      '2027-01-01T05:00:00.000Z',
      '2027-02-01T05:00:00.000Z',
    ])
  })

  it('replaces a change that has not begun, and can be taken back', async () => {
    const organization = randomUUID()
    await count(organization)
    await change(organization, 'UTC', 5, '2026-11-10T00:00:00Z')
    await change(organization, 'UTC', 20, '2026-11-11T00:00:00Z')
    expect(await at(organization, '2026-12-02T00:00:00Z')).toEqual([
      'UTC',
      20,
      '2026-12-01T00:00:00.000Z',
      '2026-12-20T00:00:00.000Z',
    ])
    await change(organization, 'UTC', 1, '2026-11-12T00:00:00Z')
    expect(await at(organization, '2026-12-02T00:00:00Z')).toEqual([
      'UTC',
      1,
      '2026-12-01T00:00:00.000Z',
      '2027-01-01T00:00:00.000Z',
    ])
  })

  it('covers time without gap or overlap whatever was changed when', async () => {
    const zones = fc.constantFrom('UTC', 'Europe/Berlin', 'America/New_York', 'Asia/Kathmandu')
    const changes = fc.array(fc.tuple(zones, fc.integer({ min: 1, max: 31 }), fc.integer({ min: 1, max: 60 })), {
      maxLength: 6,
    })
    await fc.assert(
      fc.asyncProperty(changes, async (list) => {
        const organization = randomUUID()
        await count(organization)
        let day = Date.UTC(2027, 0, 1)
        for (const [zone, anchor, days] of list) {
          day += days * 86_400_000
          await change(organization, zone, anchor, new Date(day).toISOString())
        }
        let instant = '2026-12-15T00:00:00.000Z'
        while (instant < '2028-06-01') {
          const [, , start = '', end = ''] = await at(organization, instant)
          expect(await at(organization, new Date(Date.parse(String(end)) - 1).toISOString())).toContain(start)
          expect(await at(organization, String(end))).toContain(end)
          const days = (Date.parse(String(end)) - Date.parse(String(start))) / 86_400_000
          expect(days).toBeGreaterThanOrEqual(15)
          expect(days).toBeLessThanOrEqual(47)
          instant = String(end)
        }
      }),
      { numRuns: 25 },
    )
  })
})
