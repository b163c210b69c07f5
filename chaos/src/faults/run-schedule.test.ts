import { setTimeout as delay } from 'node:timers/promises'
import { expect, test } from 'vitest'
import type { Fault } from '../schedule/fault.ts'
import { runSchedule } from './run-schedule.ts'

const fault = (number: number, round: number): Fault => ({
  ...{ number, round, atSeconds: 0, seconds: 0, kind: 'deploy', target: 'x', amount: 0 },
})

test('faults of a round overlap; the next round waits until all of them are over and everything is well', async () => {
  const story: string[] = []
  const { faults, recoverySeconds } = await runSchedule([fault(1, 1), fault(2, 1), fault(3, 2)], {
    inject: async ({ number }) => {
      story.push(`${number} begins`)
      await delay(number === 1 ? 30 : 10)
      story.push(`${number} ends`)
    },
    untilWell: async () => {
      await delay(10)
      story.push('well')
    },
    log: () => undefined,
  })
  const first = ['1 begins', '2 begins', '2 ends', '1 ends', 'well']
  expect(story).toEqual([...first, '3 begins', '3 ends', 'well'])
  expect(faults.map(({ number }) => number)).toEqual([1, 2, 3])
  expect(recoverySeconds).toHaveLength(2)
})

test('a fault that can not be done, or from which nothing recovers, ends the run', async () => {
  const fail = async () => {
    throw new Error('no')
  }
  const well = async () => undefined
  await expect(runSchedule([fault(1, 1)], { inject: fail, untilWell: well, log: () => undefined })).rejects.toThrow(
    'no',
  )
  await expect(runSchedule([fault(1, 1)], { inject: well, untilWell: fail, log: () => undefined })).rejects.toThrow(
    'no',
  )
})

test('nobody waits for the next fault of a run that is stopping', async () => {
  const stopping = new AbortController()
  const later = { ...fault(1, 1), atSeconds: 3_600 }
  const well = async () => undefined
  const tools = { inject: well, untilWell: well, log: () => undefined, stopping: stopping.signal }
  const played = runSchedule([later], tools)
  stopping.abort()
  await expect(played).rejects.toThrow('aborted')
})
