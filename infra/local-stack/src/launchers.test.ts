import { describe, expect, it } from 'vitest'
import { findLaunchers } from './launchers.ts'

const tree = (rows: Record<number, [parent: number, command: string]>) => (pid: number) => {
  const row = rows[pid]
  return row === undefined ? null : { parent: row[0], command: row[1].split(' ') }
}

describe('findLaunchers', () => {
  it('finds npx, pnpm and the shells between, up to npx', () => {
    const lookUp = tree({
      50: [40, 'sh -c node infra/local-stack/src/start.ts'],
      40: [30, '/opt/pnpm/pnpm start'],
      30: [20, 'sh -c pnpm start'],
      20: [10, 'npm exec pnpm@12 start'],
      10: [5, 'bash -c npx -y pnpm@12 start; echo done'],
      5: [1, 'sshd'],
    })
    expect(findLaunchers(50, lookUp)).toEqual([50, 40, 30, 20])
  })
  it('knows npx where it runs as a script of node', () => {
    expect(
      findLaunchers(7, tree({ 7: [3, 'node /usr/lib/npm/bin/npx-cli.js -y pnpm start'], 3: [1, 'python3 run.py'] })),
    ).toEqual([7])
  })
  it('finds none under a terminal or another program', () => {
    expect(findLaunchers(7, tree({ 7: [3, '-bash'], 3: [1, 'sshd'] }))).toEqual([])
    expect(findLaunchers(7, tree({ 7: [3, 'node vitest.mjs'], 3: [2, 'pnpm test'], 2: [1, 'bash'] }))).toEqual([])
  })
})
