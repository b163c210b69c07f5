import { describe, expect, it } from 'vitest'
import { type RowMapping, toEvent } from './to-event.ts'

const NOW = '2026-11-25T00:00:00.000Z'
const ID = '00000000-0000-4000-8000-000000000001'
const mapping = (change: Partial<RowMapping> = {}): RowMapping => ({
  columns: new Map(),
  constants: new Map([
    ['organization_id', ID],
    ['user_id', ID],
    ['session_id', 's'],
  ]),
  source: 'import:f.csv',
  formerUsers: false,
  ...change,
})
const row = { model: 'gpt-4o', input_tokens: '10', output_tokens: '2', time: '2024-01-02T03:04:05Z' }

describe('toEvent', () => {
  it('reads a row of a CSV; without an id its number is one', () => {
    expect(toEvent(row, 7, mapping(), NOW)).toMatchObject({
      event: { id: '7', source: 'import:f.csv', input_tokens: 10, output_tokens: 2, message_count: 1, member: false },
    })
  })

  it('refuses the source of opening balances', () => {
    const fault = { fault: expect.stringContaining('reserved') }
    expect(toEvent({ ...row, source: 'tollgate' }, 1, mapping(), NOW)).toEqual(fault)
    expect(toEvent(row, 1, mapping({ source: 'tollgate' }), NOW)).toEqual(fault)
  })

  it('follows the mapping, into nested rows too', () => {
    const columns = new Map([
      ['input_tokens', 'usage.prompt'],
      ['id', 'uid'],
    ])
    const nested = { ...row, input_tokens: undefined, usage: { prompt: 4 }, uid: 'x' }
    expect(toEvent(nested, 1, mapping({ columns }), NOW)).toMatchObject({ event: { id: 'x', input_tokens: 4 } })
  })

  it('takes a CloudEvent as it is', () => {
    const cloud = {
      specversion: '1.0',
      id: 'a',
      source: 'librechat',
      time: row.time,
      data: { ...row, time: undefined },
    }
    expect(toEvent(cloud, 1, mapping(), NOW)).toMatchObject({
      event: { id: 'a', source: 'librechat', input_tokens: 10 },
    })
  })

  it.each([
    ['1704164645', '2024-01-02T03:04:05.000Z'],
    ['1704164645123', '2024-01-02T03:04:05.123Z'],
    ['2024-01-02 03:04:05+00', '2024-01-02T03:04:05.000Z'],
  ])('reads the time %s', (time, expected) => {
    expect(toEvent({ ...row, time }, 1, mapping(), NOW)).toMatchObject({ event: { time: expected } })
  })

  it.each([
    [{ input_tokens: '-1' }, 'input_tokens'],
    [{ input_tokens: '1.5' }, 'input_tokens'],
    [{ output_tokens: '' }, 'output_tokens'],
    [{ model: undefined }, 'model'],
    [{ time: 'yesterday' }, 'time'],
    [{ cache_read_input_tokens: '11' }, 'input_tokens'],
  ])('says what is wrong with %j', (change, field) => {
    expect(toEvent({ ...row, ...change }, 1, mapping(), NOW)).toMatchObject({ fault: expect.stringContaining(field) })
  })
})
