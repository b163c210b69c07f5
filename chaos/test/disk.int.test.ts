import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { type Disk, openDisk } from '../src/privileged/open-disk.ts'

const MEGABYTES = 64
const dir = mkdtempSync(join(tmpdir(), 'tollgate-disk-'))
const disk = tryToOpen()
afterAll(async () => {
  await disk?.unmount()
  rmSync(dir, { recursive: true, force: true })
})

/** Null where disks can not be mounted: without root, or in a container without the right to. */
function tryToOpen(): Disk | null {
  try {
    return openDisk(dir, 'test', MEGABYTES)
  } catch {
    return null
  }
}

function writeSynced(file: string): void {
  for (const [path, flags] of [
    [file, 'w'],
    [join(file, '..'), 'r'],
  ] as const) {
    const open = openSync(path, flags)
    if (flags === 'w') writeSync(open, 'written')
    fsyncSync(open)
    closeSync(open)
  }
}

test.skipIf(disk === null)('a power cut loses what was not synced, and nothing that was', async () => {
  const { dataDir = '' } = disk ?? {}
  mkdirSync(dataDir)
  writeSynced(join(dataDir, 'synced'))
  writeFileSync(join(dataDir, 'unsynced'), 'x'.repeat(100_000))
  disk?.keepCrashImage()
  await disk?.mountCrashImage()
  expect(existsSync(join(dataDir, 'synced'))).toBe(true)
  expect(existsSync(join(dataDir, 'unsynced'))).toBe(false)
})

test.skipIf(disk === null)('a full disk takes not a byte, and has room again', () => {
  const file = join(disk?.dataDir ?? '', 'more')
  disk?.fill()
  expect(() => writeFileSync(file, 'x'.repeat(100_000))).toThrow('ENOSPC')
  disk?.free()
  writeFileSync(file, 'x'.repeat(100_000))
})
