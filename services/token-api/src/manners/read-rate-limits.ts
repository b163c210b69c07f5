import { z } from 'zod'

/**
 * Who is limited together, and to how many requests a minute: a signed-in person, a server by its key (`metering` is
 * what it does for each model call), and an address as long as its credentials have not proved good.
 */
export const DEFAULT_RATE_LIMITS = { people: 6_000, servers: 60_000, metering: 2_000_000, anonymous: 12_000 }

/** Requests a minute by policy. */
export type RateLimits = Readonly<Record<keyof typeof DEFAULT_RATE_LIMITS, number>>
/** The name of a limit, as the `RateLimit` headers show it. */
export type RatePolicy = keyof RateLimits

const PAIR = /^(people|servers|metering|anonymous)=([1-9]\d{0,8})$/

/** `people=600,servers=6000`: what is not named keeps its default; `off` limits nobody (null). */
export const rateLimits = z.string().transform((text, context): RateLimits | null => {
  if (text === 'off') return null
  const limits: Record<string, number> = {}
  for (const part of text.split(',').filter((part) => part.trim() !== '')) {
    const [, policy, limit] = PAIR.exec(part.trim()) ?? []
    if (policy === undefined) {
      context.addIssue({ code: 'custom', message: 'must be off, or pairs such as people=600,servers=6000' })
      return z.NEVER
    }
    limits[policy] = Number(limit)
  }
  return { ...DEFAULT_RATE_LIMITS, ...limits }
})
