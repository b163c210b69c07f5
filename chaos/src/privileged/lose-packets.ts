import { findProgram, installWithApt, thisMachine } from '@tollgate/local-stack'
import { type Inject, last } from '../faults/fault-context.ts'
import { runCommand } from './run-command.ts'

/** Makes sure that packets can be dropped here; installs Debian's nftables where that needs no question. */
export function findNft(log: (line: string) => void): string | null {
  const search = thisMachine(process.env, log)
  const installed = findProgram(search, ['nft'])
  return installed ?? (installWithApt(search, 'nftables') ? findProgram(search, ['nft']) : null)
}

/** Every packet from and to a server vanishes: no reset, no answer, and connections that both sides believe in. */
export const losePackets: Inject = async ({ stack }, { target, seconds }, stopping) => {
  const { port } = new URL(target === 'redis' ? stack.redisUrl : stack.databaseUrl)
  // The kernel's own names are left alone: a table of this run alone.
  const table = `tollgate_chaos_${process.pid}_${target}`
  const nft = (rule: string) => runCommand('nft', rule.split(' '))
  nft(`add table inet ${table}`)
  try {
    nft(`add chain inet ${table} in { type filter hook input priority 0 ; }`)
    nft(`add rule inet ${table} in tcp dport ${port} drop`)
    nft(`add rule inet ${table} in tcp sport ${port} drop`)
    await last(seconds, stopping)
  } finally {
    nft(`delete table inet ${table}`)
  }
}
