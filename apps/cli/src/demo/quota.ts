import { DEFAULT_QUOTA_POLICY, type EnforcementState, type QuotaReport, quotaReport } from '@tollgate/shared/contracts'
import { DemoError } from './demo-error.ts'
import { describeAnswer, type RequestJson } from './request-json.ts'

/** The quota routes of one token API, with an operator's key. */
export interface QuotaApi {
  read(organizationId: string): Promise<QuotaReport>
  setLimit(organizationId: string, limit: number | null): Promise<void>
}

/** Reads and changes quotas over HTTP. Throws DemoError on any other answer than success. */
export function createQuotaApi(request: RequestJson, tokenApi: string, operatorKey: string): QuotaApi {
  const urlOf = (organizationId: string): string => new URL(`/v1/organizations/${organizationId}/quota`, tokenApi).href
  return {
    async read(organizationId) {
      const answer = await request(urlOf(organizationId), { token: operatorKey })
      if (answer.status !== 200) throw new DemoError(`GET …/quota: ${describeAnswer(answer)}`)
      return quotaReport.parse(answer.body)
    },
    async setLimit(organizationId, limit) {
      const body = JSON.stringify({ limit })
      const answer = await request(urlOf(organizationId), { method: 'PUT', token: operatorKey, body })
      if (answer.status < 200 || answer.status > 299) throw new DemoError(`PUT …/quota: ${describeAnswer(answer)}`)
    },
  }
}

/** Whether `used` has reached `percent` of the limit; an unlimited organization never does. */
export function hasReached(used: bigint, limit: number | null, percent: number): boolean {
  return limit !== null && used * 100n >= BigInt(limit) * BigInt(percent)
}

/** The state that the default ladder gives: an organization without a ladder of its own must end there. */
export function stateAt(used: bigint, limit: number | null): EnforcementState {
  const reached = DEFAULT_QUOTA_POLICY.steps.filter((step) => hasReached(used, limit, step.at_percent))
  return reached.at(-1)?.state ?? 'active'
}

/** The limit of which `used` is at least `percent`, and as little above as whole LLM tokens allow. */
export function limitFor(used: bigint, percent: number): number {
  return Number((used * 100n) / BigInt(percent))
}
