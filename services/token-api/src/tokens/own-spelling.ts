/**
 * Whether a part of a token is spelled as we spell it. Of a claim that stands there twice one reader takes the first and
 * another the last: what we sign has each once, as JSON.stringify writes it, and in base64 without idle bits.
 */
export function isOwnSpelling(part: string, value: unknown): boolean {
  return Buffer.from(JSON.stringify(value)).toString('base64url') === part
}

/** Whether bytes are spelled in the one way without idle bits, of which the last character may have some. */
export function isCanonical(part: string): boolean {
  return Buffer.from(part, 'base64url').toString('base64url') === part
}
