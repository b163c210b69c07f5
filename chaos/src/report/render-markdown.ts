import { median } from '../sample/measure-growth.ts'
import { FAULT_KINDS } from '../schedule/fault.ts'
import type { Sizes } from './measure-sizes.ts'
import type { ChaosResult } from './result.ts'

const SHOWN_FAULTS = 20

/** A run as a page of Markdown: what was done, what was found, and how to do it again. */
export function renderMarkdown(result: ChaosResult): string {
  const { seed, minutes, isGood, findings, load, sizes, skipped, command } = result
  return [
    `## Seed ${seed}, ${minutes} min: ${isGood ? 'everything held' : 'FAILED'}`,
    '',
    ROW_HEAD,
    '| --- | --- | --- | --- | --- | --- | --- |',
    renderRow(result),
    '',
    '| audit | result | looked at |',
    '| --- | --- | --- |',
    ...findings.map(
      ({ audit, faults, looked }) =>
        `| ${audit} | ${faults.length === 0 ? 'holds' : `**${faults.length} faults**`} | ${looked} |`,
    ),
    '',
    `Load: ${Object.entries(load)
      .map(([what, times]) => `${what} ${times}`)
      .join(', ')}.`,
    ...(sizes === undefined ? [] : ['', sayOfSizes(sizes)]),
    ...(skipped.length > 0 ? ['', `Not done: ${skipped.join('; ')}.`] : []),
    ...(isGood ? [] : ['', ...faultsOf(result), '', `Do it again: \`${command}\``]),
    '',
  ].join('\n')
}

function sayOfSizes({ ledgerEntryBytes, identityBytes, redisEventBytes }: Sizes): string {
  return `Bytes with indexes: ${ledgerEntryBytes} an entry of the ledger, ${identityBytes} an identity; ${redisEventBytes} an event in Redis.`
}

const ROW_HEAD = '| seed | faults | events accepted | lost | twice | well again: median / most, s | drained, s |'

/** The run in one row; rows of several runs make a table. */
function renderRow({ seed, faults, accepted, lost, twice, drainSeconds, recoverySeconds }: ChaosResult): string {
  const kinds = FAULT_KINDS.flatMap((kind) => {
    const count = faults.filter((fault) => fault.kind === kind).length
    return count === 0 ? [] : [count === 1 ? kind : `${kind} ${count}×`]
  })
  const recovery = `${median(recoverySeconds).toFixed(1)} / ${Math.max(0, ...recoverySeconds).toFixed(1)}`
  const counts = [accepted.toLocaleString('en-US'), lost, twice, recovery, drainSeconds ?? '> 120']
  return `| ${[seed, `${faults.length}: ${kinds.join(', ')}`, ...counts].join(' | ')} |`
}

function faultsOf({ findings }: ChaosResult): string[] {
  return findings
    .filter(({ faults }) => faults.length > 0)
    .flatMap(({ audit, faults }) => [
      `${audit}:`,
      ...faults.slice(0, SHOWN_FAULTS).map((fault) => `- ${fault}`),
      ...(faults.length > SHOWN_FAULTS ? [`- … and ${faults.length - SHOWN_FAULTS} more`] : []),
    ])
}
