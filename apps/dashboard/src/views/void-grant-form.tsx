import type { GrantRow, QuotaRow } from '../data/reports.ts'
import type { TokenApi } from '../data/token-api.ts'
import { formatCount } from '../figures/format.ts'
import type { Act } from './act.tsx'

interface VoidGrantFormProps {
  readonly api: TokenApi
  readonly position: QuotaRow
  readonly grant: GrantRow
  readonly act: Act
  /** Of the field, which the focus may be handed on to. */
  readonly fieldRef: (element: HTMLElement | null) => void
  readonly onKeep: () => void
  readonly onVoided: () => void
}

/** Takes back what a grant has left, with a reason. */
export function VoidGrantForm({ api, position, grant, act, fieldRef, onKeep, onVoided }: VoidGrantFormProps) {
  const onVoid = (event: SubmitEvent): void => {
    event.preventDefault()
    const reason = String(new FormData(event.currentTarget as HTMLFormElement).get('void-reason'))
    act.run(
      `Take back what is left of “${grant.reason}”, now ${formatCount(grant.left_tokens)} LLM tokens? ${position.name} has that much less at once.`,
      async () => {
        await api.voidGrant(position.organization_id, grant.id, reason)
        onVoided()
      },
      'The grant is voided.',
    )
  }
  return (
    <form onSubmit={onVoid} aria-label={`Void the grant “${grant.reason}”`}>
      <label>
        Why “{grant.reason}” is voided
        <input name="void-reason" ref={fieldRef} maxLength={200} required />
      </label>
      <button type="submit">Void it</button>
      <button type="button" onClick={onKeep}>
        Keep it
      </button>
    </form>
  )
}
