import { describe, expect, test } from 'vitest'
import { isOurSessionValue, newSessionValue, readSessionCookie, writeSessionCookie } from './session-cookie.ts'

const key = new Uint8Array(32).fill(7)
const value = newSessionValue(key)
const cookie = `__Host-tollgate=${value}`

describe('a session id', () => {
  test('is new each time, and bears the mark of its key', () => {
    const values = Array.from({ length: 100 }, () => newSessionValue(key))
    expect(new Set(values).size).toBe(100)
    expect(values.every((one) => isOurSessionValue(one, key))).toBe(true)
    expect(isOurSessionValue(value, new Uint8Array(32).fill(8))).toBe(false)
  })

  test('with any one character changed is not ours', () => {
    for (let index = 0; index < value.length; index += 1) {
      const other = value[index] === 'A' ? 'B' : 'A'
      expect(isOurSessionValue(value.slice(0, index) + other + value.slice(index + 1), key), String(index)).toBe(false)
    }
    for (const text of ['', '.', value.split('.')[0] ?? '', `${value}A`])
      expect(isOurSessionValue(text, key)).toBe(false)
  })
})

describe('the header', () => {
  test.each([`a=1; ${cookie}`, `${cookie};b=2`, `  ${cookie}  ; c="d"`, cookie])('has it: %s', (header) => {
    expect(readSessionCookie(header)).toEqual({ value })
  })
  test.each([undefined, '', 'a=1', '__host-tollgate=x', 'x__Host-tollgate=y', `a="${cookie}"`, `a=1 ${cookie}`])(
    'has none: %s',
    (header) => {
      expect(readSessionCookie(header)).toEqual({ reason: 'missing' })
    },
  )
  test.each([
    `${cookie}; ${cookie}`,
    '__Host-tollgate=',
    '__Host-tollgate=abc',
    `${cookie}x`,
    `${cookie}; __Host-tollgate=`,
    `__Host-tollgate= ${value}`,
    `__Host-tollgate=${cookie}`,
    `${value};\t${cookie} x`,
  ])('has one that decides against whoever sent it: %s', (header) => {
    expect(readSessionCookie(header)).toEqual({ reason: 'malformed' })
  })
})

test('is kept from scripts, from other hosts and from plain http', () => {
  expect(writeSessionCookie('v', 60, 'same-site')).toBe(
    '__Host-tollgate=v; Path=/; Max-Age=60; Secure; HttpOnly; SameSite=Lax',
  )
  expect(writeSessionCookie('v', 60, 'cross-site')).toMatch(/; Secure; HttpOnly; SameSite=None; Partitioned$/)
})
