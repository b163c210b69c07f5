/** Writes a form as it goes over the wire; without a token the form itself says who asks. */
export function formatForm(path: string, fields: Record<string, string>, token?: string): Buffer {
  const text = new URLSearchParams(fields).toString()
  const head = [`POST ${path} HTTP/1.1`, 'host: 127.0.0.1', 'content-type: application/x-www-form-urlencoded']
  if (token !== undefined) head.push(`authorization: Bearer ${token}`)
  head.push(`content-length: ${Buffer.byteLength(text)}`)
  return Buffer.from(`${head.join('\r\n')}\r\n\r\n${text}`)
}
