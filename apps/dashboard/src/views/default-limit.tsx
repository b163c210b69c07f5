import { DEFAULT_QUOTA_POLICY } from '@tollgate/shared/quota/for-pages'
import { useState } from 'preact/hooks'
import type { QuotaRow, UserLimitRow } from '../data/reports.ts'
import type { TokenApi } from '../data/token-api.ts'
import { limitedUser, tellConsequences, withLadder } from '../figures/consequence.ts'
import { COUNT_PATTERN, COUNT_TITLE, formatCount, readCount } from '../figures/format.ts'
import { useAct } from './act.tsx'
import { Ladder } from './policy-card.tsx'
import { PolicyForm } from './policy-form.tsx'
import { useFocusMoves } from './use-focus-moves.ts'

interface DefaultLimitProps {
  readonly api: TokenApi
  readonly position: QuotaRow
  /** Those that are listed. */
  readonly users: readonly UserLimitRow[]
  readonly onDone: () => void
}

const CHANGES = { limit: 'Change the default', ladder: 'Change its ladder' } as const

const tellLimit = (limit: string | number | null): string =>
  limit === null ? 'no limit' : `${formatCount(BigInt(limit))} LLM tokens a period`

/** What holds for each user without an own limit: so many LLM tokens, and the ladder that they are measured against. */
export function DefaultLimit({ api, position, users, onDone }: DefaultLimitProps) {
  const { organization_id, name, user_default } = position
  // The version that a form was opened with: what somebody else sets meanwhile is not overwritten unseen.
  const [edited, setEdited] = useState<{ readonly part: 'limit' | 'ladder'; readonly version: number }>()
  const focus = useFocusMoves()
  const leave = (): void => {
    if (edited !== undefined) focus.want(edited.part)
    setEdited(undefined)
  }
  const act = useAct(() => {
    leave()
    onDone()
  })
  const version = Number(user_default?.version ?? 0)
  const toggle = (part: 'limit' | 'ladder'): void => setEdited(edited?.part === part ? undefined : { part, version })
  const limit = user_default?.limit_tokens ?? null
  const amount = limit === null ? null : Number(limit)
  const policy = user_default?.policy ?? DEFAULT_QUOTA_POLICY
  const fallen = users.filter(({ limit_from }) => limit_from !== 'user').map((row) => limitedUser(row, position))
  const onLimit = (event: SubmitEvent): void => {
    event.preventDefault()
    const next = readCount(new FormData(event.currentTarget as HTMLFormElement).get('default-limit'))
    act.run(
      `Give each user of ${name} without an own limit ${tellLimit(next)}? ${tellConsequences(next, fallen)}`,
      () => api.setUserDefault(organization_id, edited?.version ?? version, { limit: next }),
      `The default for users is ${tellLimit(next)} now.`,
    )
  }
  return (
    <section aria-label="Default for users">
      <p>
        Users without an own limit: {tellLimit(limit)}.{' '}
        {(['limit', 'ladder'] as const).map((part) => (
          <span key={part}>
            <button
              type="button"
              class="link"
              ref={focus.place(part)}
              aria-expanded={edited?.part === part}
              onClick={() => toggle(part)}
            >
              {CHANGES[part]}
            </button>{' '}
          </span>
        ))}
      </p>
      {user_default?.policy && edited?.part !== 'ladder' && (
        <>
          <Ladder policy={user_default.policy} />
          <button
            type="button"
            onClick={() =>
              act.run(
                `Let the default ladder hold for the users of ${name} without an own one again?`,
                () => api.setUserDefault(organization_id, version, { limit: amount, policy: null }),
                'The default ladder holds for users now.',
              )
            }
          >
            Back to the default ladder
          </button>
        </>
      )}
      {edited?.part === 'limit' && (
        <form class="inline" onSubmit={onLimit}>
          <input
            name="default-limit"
            aria-label="Limit of each user without an own one in LLM tokens, empty: none"
            inputMode="numeric"
            pattern={COUNT_PATTERN}
            title={COUNT_TITLE}
            placeholder="none"
            defaultValue={limit ?? ''}
          />
          <button type="submit">Set the default</button>
        </form>
      )}
      {edited?.part === 'ladder' && (
        <PolicyForm
          {...{ policy, act }}
          question={`Put this ladder into force for the users of ${name} without an own one?`}
          tellConsequence={(next) => tellConsequences(amount, withLadder(fallen, next))}
          hasSessions={false}
          save={(next) => api.setUserDefault(organization_id, edited.version, { limit: amount, policy: next })}
          onCancel={leave}
        />
      )}
      {act.view}
    </section>
  )
}
