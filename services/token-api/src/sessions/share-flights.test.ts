import { expect, test } from 'vitest'
import { shareFlights } from './share-flights.ts'

/** Calls that answer when they are told to; each answer says which call it is of. */
function openCalls() {
  const open: PromiseWithResolvers<number>[] = []
  const call = () => {
    const flight = Promise.withResolvers<number>()
    open.push(flight)
    return flight.promise
  }
  return { call, open }
}

test('nobody is answered by a call that was under way before, and whoever waits shares the next one', async () => {
  const { call, open } = openCalls()
  const share = shareFlights(call)
  const first = share('token')
  // What the first one has read may have changed since.
  const late = [share('token'), share('token'), share('token')]
  expect(open.length).toBe(1)
  open[0]?.resolve(1)
  expect(await first).toBe(1)
  await expect.poll(() => open.length).toBe(2)
  const later = share('token')
  open[1]?.resolve(2)
  expect(await Promise.all(late)).toEqual([2, 2, 2])
  await expect.poll(() => open.length).toBe(3)
  open[2]?.resolve(3)
  expect(await later).toBe(3)
})

test('a call that failed is the failure of those alone who asked for it', async () => {
  const { call, open } = openCalls()
  const share = shareFlights(call)
  const first = share('token')
  const second = share('token')
  open[0]?.reject(new Error('away'))
  await expect(first).rejects.toThrow('away')
  await expect.poll(() => open.length).toBe(2)
  open[1]?.resolve(2)
  expect(await second).toBe(2)
})

test('another token, and the same one afterwards, is a call of its own', async () => {
  const { call, open } = openCalls()
  const share = shareFlights(call)
  const answers = [share('one'), share('other')]
  expect(open.length).toBe(2)
  for (const [index, flight] of open.entries()) flight.resolve(index)
  expect(await Promise.all(answers)).toEqual([0, 1])
  const again = share('one')
  expect(open.length).toBe(3)
  open[2]?.resolve(2)
  expect(await again).toBe(2)
})
