import { expect, test } from 'vitest'
import { readBearer } from './read-bearer.ts'

test.each(['Bearer abc.def-_~+/=', 'bearer abc.def-_~+/=', 'BEARER   abc.def-_~+/='])('%s', (header) => {
  expect(readBearer(header)).toEqual({ token: 'abc.def-_~+/=' })
})

test.each([undefined, '', 'Basic YTpi', 'Bearerabc', 'Token abc'])('%s has no bearer credential', (header) => {
  expect(readBearer(header)).toEqual({ reason: 'missing' })
})

test.each(['Bearer', 'Bearer ', 'Bearer a b', 'Bearer a,b', 'Bearer "a"', 'Bearer a=b', 'Bearer ä'])(
  '%s has one that cannot be read',
  (header) => {
    expect(readBearer(header)).toEqual({ reason: 'malformed' })
  },
)
