const DECIMALS = 12

/** An exact decimal of US dollars (`moneyText`) as a whole number of 10⁻¹² dollars. */
export function toPicodollars(usd: string): bigint {
  const [, sign = '', whole = '0', fraction = ''] = /^(-?)(\d+)(?:\.(\d{1,12}))?$/.exec(usd) ?? []
  const amount = BigInt(whole + fraction.padEnd(DECIMALS, '0'))
  return sign === '-' ? -amount : amount
}

/** The same back as decimal text, without trailing zeros. */
export function fromPicodollars(amount: bigint): string {
  const digits = (amount < 0n ? -amount : amount).toString().padStart(DECIMALS + 1, '0')
  const fraction = digits.slice(-DECIMALS).replace(/0+$/, '')
  const text = digits.slice(0, -DECIMALS) + (fraction === '' ? '' : `.${fraction}`)
  return amount < 0n ? `-${text}` : text
}
