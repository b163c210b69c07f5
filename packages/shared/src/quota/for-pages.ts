// What a page in a browser may load of the quota rules: none of it brings zod along.
export { DEFAULT_QUOTA_POLICY } from '../contracts/default-quota-policy.ts'
export { decide } from './decide.ts'
export { fromPicodollars, toPicodollars } from './picodollars.ts'
export type { QuotaPosition } from './position.ts'
export { rank } from './rungs.ts'
