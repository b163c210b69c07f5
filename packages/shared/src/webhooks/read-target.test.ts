import { describe, expect, test } from 'vitest'
import { isPublicAddress, readTarget, TargetError } from './read-target.ts'

// Every spelling that an HTTP client would understand as somewhere inside.
const PRIVATE = [
  'https://127.0.0.1/',
  'https://127.1/',
  'https://127.0.1/',
  'https://0/',
  'https://0.0.0.0/',
  'https://2130706433/',
  'https://0x7f000001/',
  'https://0x7f.0.0.1/',
  'https://0177.0.0.1/',
  'https://017700000001/',
  'https://127.0.0.1./',
  'https://１２７.0.0.1/',
  'https://127。0。0。1/',
  'https://10.0.0.1/',
  'https://172.16.0.1/',
  'https://172.31.255.255/',
  'https://192.168.1.1/',
  'https://169.254.169.254/latest/meta-data/',
  'https://0xa9fea9fe/',
  'https://100.64.0.1/',
  'https://192.0.0.1/',
  'https://192.0.2.1/',
  'https://198.18.0.1/',
  'https://224.0.0.1/',
  'https://240.0.0.1/',
  'https://255.255.255.255/',
  'https://[::1]/',
  'https://[::]/',
  'https://[0:0:0:0:0:0:0:1]/',
  'https://[::ffff:127.0.0.1]/',
  'https://[::ffff:7f00:1]/',
  'https://[::ffff:0:127.0.0.1]/',
  'https://[::127.0.0.1]/',
  'https://[64:ff9b::7f00:1]/',
  'https://[64:ff9b::127.0.0.1]/',
  'https://[64:ff9b:1::10.0.0.1]/',
  'https://[2002:7f00:1::]/',
  'https://[2001:0:7f00:1::]/',
  'https://[2001:db8::1]/',
  'https://[fc00::1]/',
  'https://[fd12:3456::1]/',
  'https://[fe80::1]/',
  'https://[fec0::1]/',
  'https://[ff02::1]/',
]

describe('targets', () => {
  test.each(PRIVATE)('%s is refused', (url) => {
    expect(() => readTarget(url, false)).toThrow(TargetError)
    expect(readTarget(url, true)).toBeInstanceOf(URL)
  })
  test.each(['https://hooks.example.com/a?b=c', 'https://1.1.1.1/', 'https://[2606:4700::1111]/'])(
    '%s is good',
    (url) => {
      expect(readTarget(url, false).protocol).toBe('https:')
    },
  )
  test.each([
    'http://hooks.example.com/',
    'ftp://hooks.example.com/',
    'file:///etc/passwd',
    'nonsense',
    'https://u:p@example.com/',
    'https://example.com/#a',
  ])('%s is refused', (url) => expect(() => readTarget(url, false)).toThrow(TargetError))
})

test.each(['127.0.0.1', '::ffff:10.0.0.1', '64:ff9b::1', 'fe80::1%eth0', '', 'localhost'])(
  '%s is no public address',
  (address) => {
    expect(isPublicAddress(address)).toBe(false)
  },
)
