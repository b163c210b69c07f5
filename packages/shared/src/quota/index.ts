export { decide } from './decide.ts'
export { fromPicodollars, toPicodollars } from './picodollars.ts'
export type { ManualAct, Observed, QuotaPosition, QuotaVerdict } from './position.ts'
export { readPolicy } from './read-policy.ts'
