import { fromPicodollars, toPicodollars } from '@tollgate/shared/quota/for-pages'

/** Money is a decimal string of up to 12 places, added as whole picodollars, so that no digit is ever lost: so many are a dollar. */
export const PICODOLLARS = 10n ** 12n

/** Sum of amounts; null where there is none that is known. */
export function sumMoney(amounts: readonly (string | null)[]): string | null {
  const known = amounts.filter((amount) => amount !== null)
  if (known.length === 0) return null
  return fromPicodollars(known.reduce((sum, amount) => sum + toPicodollars(amount), 0n))
}
