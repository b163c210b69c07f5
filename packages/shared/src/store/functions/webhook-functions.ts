import type { WebhookDelivery, WebhookReport } from '../../contracts/index.ts'

/** Names an endpoint together with whose it is (null: the operator's), and who acts. */
interface WebhookAct {
  organization_id: string | null
  id: string
  actor: string
}

/** As `createSecretBox` seals them, with the endpoint's id as owner. */
interface SealedSecrets {
  sealed_secret: string
  previous_sealed_secret: string | null
}

/** Endpoints, and what is sent to them. */
export type WebhookFunctions = {
  create_webhook: {
    args: { change: WebhookAct & { url: string; types: string[]; sealed_secret: string } }
    row: { refusal: 'full' } | (WebhookReport & { refusal: null })
  }
  list_webhooks: { args: { query: { organization_id: string | null } }; row: WebhookReport }
  remove_webhook: { args: { change: WebhookAct }; row: WebhookReport }
  rotate_webhook: {
    args: { change: WebhookAct & { sealed_secret: string; overlap_seconds: number } }
    row: WebhookReport
  }
  list_webhook_deliveries: {
    args: {
      query: { organization_id: string | null; endpoint_id: string; before?: string | undefined; max_rows: number }
    }
    row: WebhookDelivery
  }
  replay_webhook: { args: { change: WebhookAct & { endpoint_id: string } }; row: WebhookDelivery }
  claim_webhooks: {
    args: { claim: { max_rows: number; lease_ms: number; busy?: readonly string[] } } // busy: absent, as none
    row: SealedSecrets & { id: string; endpoint_id: string; attempt: number; url: string; payload: string }
  }
  finish_webhook: {
    args: {
      result: {
        id: string
        attempt: number
        delivered: boolean
        status: number | null
        error: string | null
        retry_in_ms: number | null
      }
    }
    row: { recorded: boolean }
  }
  webhook_backlog: {
    args: Record<never, never>
    row: { pending: number; oldest_seconds: number; overdue_seconds: number }
  }
  list_old_seals: {
    args: { query: { key_prefix: string; max_rows: number; after?: string | undefined } }
    row: SealedSecrets & { id: string }
  }
  reseal_webhook: {
    args: { change: SealedSecrets & { id: string; from_sealed: string } }
    row: { done: boolean }
  }
  prune_webhooks: { args: { max_rows: number }; row: { pruned: number } }
}
