import { chmodSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { canTraverse } from './postgres-binaries.ts'

describe('canTraverse', () => {
  it('is no as soon as one directory above is closed to the user', () => {
    const root = mkdtempSync(join(tmpdir(), 'tollgate-closed-'))
    const inner = join(root, 'clone/.tollgate')
    mkdirSync(inner, { recursive: true })
    const stranger = { uid: 65_534, gid: 65_534 }
    chmodSync(root, 0o700)
    expect(canTraverse(inner, stranger)).toBe(false)
    chmodSync(root, 0o711)
    expect(canTraverse(inner, stranger)).toBe(true)
    expect(canTraverse(join(inner, 'not/there/yet'), stranger)).toBe(true)
    rmSync(root, { recursive: true })
  })
})
