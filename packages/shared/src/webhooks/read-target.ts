import ipaddr from 'ipaddr.js'

/** A URL or an address to which nothing is sent; the message may be shown to whoever chose it. */
export class TargetError extends Error {
  override readonly name = 'TargetError'
}

// All global unicast addresses there are: what lies outside (mapped, translated, unique local, …) leads somewhere else.
const GLOBAL_UNICAST = ipaddr.IPv6.parseCIDR('2000::/3')

/** Whether an address is one of the public Internet; false for text that is no address. */
export function isPublicAddress(address: string): boolean {
  if (!ipaddr.isValid(address)) return false
  const parsed = ipaddr.parse(address)
  if (parsed.range() !== 'unicast') return false
  return parsed instanceof ipaddr.IPv6 ? parsed.match(GLOBAL_UNICAST) : true
}

/**
 * Reads the URL of a webhook: https to a name or a public address, unless private targets are allowed. What a name
 * resolves to is looked at when something is sent.
 * @throws TargetError
 */
export function readTarget(text: string, allowPrivate: boolean): URL {
  if (!URL.canParse(text)) throw new TargetError('The URL cannot be read.')
  const url = new URL(text)
  if (url.protocol !== 'https:' && !(allowPrivate && url.protocol === 'http:')) {
    throw new TargetError('The URL must be https.')
  }
  if (url.username !== '' || url.password !== '') throw new TargetError('The URL must hold no credentials.')
  if (url.hash !== '') throw new TargetError('The URL must have no fragment.')
  // The URL parser has turned decimal, octal, hexadecimal and shortened spellings into plain addresses.
  const host = url.hostname.replace(/^\[|\]$/g, '')
  if (!allowPrivate && ipaddr.isValid(host) && !isPublicAddress(host)) {
    throw new TargetError('The address is not one of the public Internet.')
  }
  return url
}
