import { describe, expect, test } from 'vitest'
import { formatNumber, renderMarkdown, renderRatios, renderTable } from './render-markdown.ts'
import { reaches } from './report.ts'

test('a table has cells of one width, the first column left, the others right', () => {
  expect(
    renderTable(
      ['ratio', 'median'],
      [
        ['a / c', '0.9'],
        ['a longer name', '12'],
      ],
    ),
  ).toBe(
    [
      '| ratio         | median |',
      '| ------------- | -----: |',
      '| a / c         |    0.9 |',
      '| a longer name |     12 |',
    ].join('\n'),
  )
})

test.each([
  [0.8456, '0.85'],
  [12.34, '12.3'],
  [34_567.8, '34,568'],
])('%d is written %s', (value, text) => {
  expect(formatNumber(value)).toBe(text)
})

describe('a goal', () => {
  const spread = { name: 'x', min: 0, max: 1 }

  test('is reached at its very value, from either side', () => {
    expect(reaches({ ...spread, value: 0.85, goal: { is: 'at least', value: 0.85 } })).toBe(true)
    expect(reaches({ ...spread, value: 0.84, goal: { is: 'at least', value: 0.85 } })).toBe(false)
    expect(reaches({ ...spread, value: 250, goal: { is: 'at most', value: 250 } })).toBe(true)
    expect(reaches({ ...spread, value: 251, goal: { is: 'at most', value: 250 } })).toBe(false)
  })

  test('that is not set is neither reached nor missed', () => {
    expect(reaches({ ...spread, value: 1 })).toBeUndefined()
  })
})

test('the ratios of all scenarios stand in one table, and no figure with them', () => {
  const spread = { value: 0.5, min: 0.4, max: 0.6 }
  const scenario = (name: string) => ({
    scenario: name,
    ratios: [{ name: 'a / b', ...spread, goal: { is: 'at least' as const, value: 0.6 } }],
    figures: [{ name: 'a', unit: 'events/s' as const, ...spread }],
    notes: [],
  })
  const scenarios = [scenario('one'), scenario('two')]
  expect(
    renderRatios({ date: '2026-11-23T10:00:00Z', scenarios, machine: {}, settings: [] }).split('\n').slice(2),
  ).toEqual([
    '| one: a / b |   0.50 | 0.40 – 0.60 | ≥ 0.60 |  no |',
    '| two: a / b |   0.50 | 0.40 – 0.60 | ≥ 0.60 |  no |',
  ])
})

test('a report shows ratios before figures, and then the machine', () => {
  const spread = { value: 1, min: 1, max: 1 }
  const report = {
    scenario: 'some-scenario',
    ratios: [{ name: 'a / b', ...spread }],
    figures: [{ name: 'a', unit: 'events/s' as const, ...spread }],
    notes: ['a note'],
  }
  const machine = { cores: '2' }
  const text = renderMarkdown({ date: '2026-11-23T10:00:00Z', scenarios: [report], machine, settings: ['3 rounds'] })
  const places = ['some-scenario', 'a / b', 'a [events/s]', '- a note', '- cores: 2', '- 3 rounds'].map((part) =>
    text.indexOf(part),
  )
  expect(places).not.toContain(-1)
  expect(places).toEqual(places.toSorted((one, other) => one - other))
})
