import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { FAULTS } from './catalog.ts'
import { FAULT_KINDS } from './fault.ts'
import { planSchedule } from './plan-schedule.ts'

const seeds = fc.integer({ min: 0, max: 2 ** 31 - 1 })

describe('planSchedule', () => {
  test('gives the same plan for the same seed and length, and another for another seed', () => {
    const options = { seed: 7, seconds: 300, privileged: false }
    expect(planSchedule(options)).toEqual(planSchedule({ ...options }))
    expect(planSchedule(options)).not.toEqual(planSchedule({ ...options, seed: 8 }))
  })

  test('keeps the plan of seed 1: a seed that was noted once can be replayed', () => {
    const faults = planSchedule({ seed: 1, seconds: 20, privileged: false })
    expect(faults.map(({ atSeconds, kind, target }) => `${atSeconds} ${kind} ${target}`)).toMatchInlineSnapshot(`
      [
        "0 redis-full redis",
        "1 kill-postgres postgres",
        "9 deploy all services",
        "14 kill-supabase supabase",
        "14 freeze-redis redis",
      ]
    `)
  })

  test('has every kind that needs no root in five minutes, and those that do with the right to them', () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        const kindsOf = (privileged: boolean) =>
          new Set(planSchedule({ seed, seconds: 300, privileged }).map(({ kind }) => kind))
        const free = FAULT_KINDS.filter((kind) => FAULTS[kind].needsRoot !== true)
        expect([...kindsOf(false)].toSorted()).toEqual(free.toSorted())
        expect(kindsOf(true).size).toBe(FAULT_KINDS.length)
      }),
    )
  })

  test('begins and ends every fault within the run, in order', () => {
    fc.assert(
      fc.property(seeds, fc.integer({ min: 5, max: 900 }), (seed, seconds) => {
        const faults = planSchedule({ seed, seconds, privileged: true })
        expect(faults.map(({ number }) => number)).toEqual(faults.map((_, index) => index + 1))
        for (const [index, fault] of faults.entries()) {
          expect(fault.atSeconds).toBeGreaterThanOrEqual(faults[index - 1]?.atSeconds ?? 0)
          expect(fault.round).toBeGreaterThanOrEqual(faults[index - 1]?.round ?? 1)
          expect(fault.atSeconds + fault.seconds).toBeLessThanOrEqual(seconds)
        }
      }),
    )
  })
})
