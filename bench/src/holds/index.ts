// What the fault harness shares with the bench.
export { repeatRequest } from './repeat-request.ts'
export { type LimitRun, spendUnderFaults } from './spend-under-faults.ts'
