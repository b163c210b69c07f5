// Money is a decimal string of up to 12 places. It is added as whole picodollars, so that no digit is ever lost.
const PLACES = 12
/** So many are a dollar. */
export const PICODOLLARS = 10n ** BigInt(PLACES)

/** Whole picodollars of a decimal string such as `-12.3456`. */
export function toPicodollars(usd: string): bigint {
  const isNegative = usd.startsWith('-')
  const [whole = '0', fraction = ''] = usd.replace('-', '').split('.')
  const size = BigInt(whole) * PICODOLLARS + BigInt(fraction.padEnd(PLACES, '0').slice(0, PLACES))
  return isNegative ? -size : size
}

/** The decimal string of whole picodollars, without trailing zeros. */
export function fromPicodollars(amount: bigint): string {
  const size = amount < 0n ? -amount : amount
  const fraction = (size % PICODOLLARS).toString().padStart(PLACES, '0').replace(/0+$/, '')
  return `${amount < 0n ? '-' : ''}${size / PICODOLLARS}${fraction === '' ? '' : `.${fraction}`}`
}

/** Sum of amounts; null where there is none that is known. */
export function sumMoney(amounts: readonly (string | null)[]): string | null {
  const known = amounts.filter((amount) => amount !== null)
  if (known.length === 0) return null
  return fromPicodollars(known.reduce((sum, amount) => sum + toPicodollars(amount), 0n))
}
