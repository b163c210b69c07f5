const DECIMALS = 12

/** Adds two decimal numbers as text, exactly, to 12 decimals; zeros at the end are left out. */
export function addDecimals(left: string, right: string): string {
  const sum = toPico(left) + toPico(right)
  const digits = (sum < 0n ? -sum : sum).toString().padStart(DECIMALS + 1, '0')
  const fraction = digits.slice(-DECIMALS).replace(/0+$/, '')
  return `${sum < 0n ? '-' : ''}${digits.slice(0, -DECIMALS)}${fraction === '' ? '' : `.${fraction}`}`
}

function toPico(text: string): bigint {
  const [, sign = '', whole = '0', fraction = ''] = /^(-?)(\d+)(?:\.(\d{1,12}))?$/.exec(text) ?? []
  return BigInt(`${sign}${whole}${fraction.padEnd(DECIMALS, '0')}`)
}
