import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { findOnPath, type ProgramSearch } from './programs.ts'
import { findRedis } from './redis-binary.ts'

describe('findRedis', () => {
  let bin: string
  const calls: string[] = []

  const addProgram = (name: string) => {
    writeFileSync(join(bin, name), '#!/bin/sh\n')
    chmodSync(join(bin, name), 0o755)
  }
  const search = (change: Partial<ProgramSearch> = {}): ProgramSearch => ({
    path: bin,
    systemPath: [],
    isRoot: false,
    log: () => {},
    run: (command, args) => {
      calls.push([command, ...args].join(' '))
      return false
    },
    ...change,
  })

  beforeEach(() => {
    bin = mkdtempSync(join(tmpdir(), 'tollgate-path-'))
    calls.length = 0
  })
  afterEach(() => rmSync(bin, { recursive: true }))

  it('takes redis-server before valkey-server, and either before anything else', () => {
    addProgram('valkey-server')
    expect(findRedis(search())).toEqual({ kind: 'program', path: join(bin, 'valkey-server') })
    addProgram('redis-server')
    expect(findRedis(search())).toEqual({ kind: 'program', path: join(bin, 'redis-server') })
    expect(calls).toEqual([])
  })

  it('takes Docker when it answers', () => {
    addProgram('docker')
    addProgram('apt-get')
    expect(findRedis(search({ isRoot: true, run: () => true }))).toEqual({ kind: 'docker', image: 'redis:7' })
  })

  it('installs with apt-get as root, also when Docker is there but does not answer', () => {
    addProgram('docker')
    addProgram('apt-get')
    const run: ProgramSearch['run'] = (command, args) => {
      calls.push([command, ...args].join(' '))
      if (args[0] === 'install') addProgram('redis-server')
      return command === 'apt-get'
    }
    expect(findRedis(search({ isRoot: true, run }))).toEqual({ kind: 'program', path: join(bin, 'redis-server') })
    expect(calls).toEqual([
      'docker info',
      'apt-get update -qq',
      'apt-get install -y -qq --no-install-recommends redis-server',
    ])
  })

  it('never asks apt-get as an ordinary user, but names the command for each system', () => {
    addProgram('apt-get')
    expect(() => findRedis(search())).toThrow(/brew install[\s\S]*apt-get install[\s\S]*dnf[\s\S]*pacman[\s\S]*apk add/)
    expect(calls).toEqual([])
  })

  it('looks only for what may be executed', () => {
    writeFileSync(join(bin, 'redis-server'), '', { mode: 0o644 })
    expect(findOnPath(['redis-server'], bin)).toBeNull()
  })
})
