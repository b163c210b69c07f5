import { z } from 'zod'

const SECONDS_PER_UNIT = { s: 1, m: 60, h: 3_600, d: 86_400, w: 604_800 } as const

/** A TCP port from 0 (any free one) to 65535. */
export const port = () => integerBetween(0, 65_535)

/** A whole number from 1 up. */
export const positiveInteger = () => integerBetween(1, Number.MAX_SAFE_INTEGER)

/** An absolute URL, optionally of given schemes (`['redis', 'rediss']`); kept as a string. */
export const url = (schemes?: readonly string[]) =>
  z.string().refine((text) => hasScheme(text, schemes), {
    error: schemes ? `must be a URL that starts with ${schemes.map((s) => `${s}://`).join(' or ')}` : 'must be a URL',
  })

/** `true`, `false`, `1` or `0` as a real boolean: `Boolean("false")` would be true. */
export const boolean = () =>
  z
    .enum(['true', 'false', '1', '0'], { error: 'must be true, false, 1 or 0' })
    .transform((text) => text === 'true' || text === '1')

/** A time span such as `30s`, `15m`, `24h`, `7d` or `2w`, in whole seconds. */
export const duration = () =>
  z
    .string()
    .regex(/^[1-9]\d{0,8}[smhdw]$/, { error: 'must be a time span such as 30s, 15m, 24h or 7d' })
    .transform((text) => Number(text.slice(0, -1)) * secondsPer(text.slice(-1)))

function secondsPer(unit: string): number {
  return SECONDS_PER_UNIT[unit as keyof typeof SECONDS_PER_UNIT]
}

function integerBetween(min: number, max: number) {
  return z
    .string()
    .regex(/^\d{1,16}$/, { error: 'must be a whole number' })
    .transform(Number)
    .refine((value) => Number.isSafeInteger(value) && value >= min && value <= max, {
      error: `must lie between ${min} and ${max}`,
    })
}

function hasScheme(text: string, schemes: readonly string[] | undefined): boolean {
  if (!URL.canParse(text)) return false
  return schemes === undefined || schemes.includes(new URL(text).protocol.slice(0, -1))
}
