import { randomBytes, randomUUID } from 'node:crypto'
import { uuid } from '@tollgate/shared/contracts'
import { expect, test } from 'vitest'
import { newAct, repeatAct } from './act.ts'

test('an act of the same seed makes the same, of another seed another', () => {
  const seed = randomBytes(32)
  const [first, again, other] = [repeatAct(seed), repeatAct(seed), repeatAct(randomBytes(32))]
  expect(again.id).toBe(first.id)
  expect(again.randomBytes(24)).toEqual(first.randomBytes(24))
  expect(other.id).not.toBe(first.id)
  expect(other.randomBytes(24)).not.toEqual(first.randomBytes(24))
  // The id is told to everybody, and tells nothing of the bytes of a secret.
  expect(first.randomBytes(16).toString('hex')).not.toBe(first.id.replaceAll('-', ''))
})

test('ids are UUIDs of version 8', () => {
  for (let n = 0; n < 100; n++) {
    const { id } = repeatAct(randomBytes(32))
    expect(uuid.parse(id)).toBe(id)
    expect(id).toMatch(/^[\da-f]{8}-[\da-f]{4}-8[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/)
  }
})

test('an act that is done once is random', () => {
  const [one, other] = [newAct(randomUUID), newAct(randomUUID)]
  expect(other.id).not.toBe(one.id)
  expect(other.randomBytes(24)).not.toEqual(one.randomBytes(24))
})
