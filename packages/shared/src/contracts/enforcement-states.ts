/** Enforcement state of an organization, from free to closed. Here and not beside its schema, so that a page can load it without zod. */
export const ENFORCEMENT_STATES = ['active', 'warned', 'downgraded', 'revoked'] as const
