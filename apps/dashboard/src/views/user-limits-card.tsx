import type { SupabaseClient } from '@supabase/supabase-js'
import { useState } from 'preact/hooks'
import type { QuotaRow, UserLimitRow } from '../data/reports.ts'
import type { TokenApi } from '../data/token-api.ts'
import { usePages } from '../data/use-pages.ts'
import { limitedUser, tellConsequence } from '../figures/consequence.ts'
import { COUNT_PATTERN, COUNT_TITLE, formatCount, readCount } from '../figures/format.ts'
import { useAct } from './act.tsx'
import { DefaultLimit } from './default-limit.tsx'
import { Card, Failure, Loading, MoreButton, StateBadge } from './states.tsx'
import { type FocusMoves, useFocusMoves } from './use-focus-moves.ts'

interface UserLimitsCardProps {
  readonly client: SupabaseClient
  readonly api: TokenApi
  readonly position: QuotaRow
  readonly onChanged: () => void
}

/** What each user has used in the period, and a limit of the own for whoever should have one. */
export function UserLimitsCard({ client, api, position, onChanged }: UserLimitsCardProps) {
  const { organization_id } = position
  const pages = usePages(client, 'report_user_limits', { organization_id, limit: 50 })
  const [edited, setEdited] = useState<string>()
  const focus = useFocusMoves()
  const edit = (userId: string): void => {
    focus.want(fieldName(userId))
    setEdited(userId)
  }
  const leave = (): void => {
    if (edited !== undefined) focus.want(buttonName(edited))
    setEdited(undefined)
  }
  const refresh = (): void => {
    pages.refresh()
    onChanged()
  }
  const act = useAct(() => {
    leave()
    refresh()
  })
  const onLimit = (row: UserLimitRow, limit: number | null): void => {
    const shown = limit === null ? 'no limit of its own' : `${formatCount(BigInt(limit))} LLM tokens a period`
    act.run(
      `Give ${row.user_name} ${shown}? ${tellConsequence(limit, limitedUser(row, position))} The organization’s limit holds beside it.`,
      () => api.setUserLimit(organization_id, row.user_id, limit),
      `${row.user_name} has ${shown} now.`,
    )
  }
  const onDrop = (row: UserLimitRow): void => {
    const { limit_tokens = null, policy = null } = position.user_default ?? {}
    const usual = limit_tokens === null ? null : Number(limit_tokens)
    act.run(
      `Drop the own limit of ${row.user_name}? The default for users holds then. ${tellConsequence(usual, limitedUser({ ...row, policy }, position))}`,
      () => api.dropUserLimit(organization_id, row.user_id),
      `${row.user_name} has no own limit any more.`,
    )
  }
  return (
    <Card title="Limits of users">
      <DefaultLimit {...{ api, position }} users={pages.rows ?? []} onDone={refresh} />
      {pages.error !== undefined && <Failure what="The users" error={pages.error} onRetry={pages.refresh} />}
      {pages.rows === undefined && pages.error === undefined && <Loading what="users" />}
      {pages.rows?.length === 0 && <p class="empty">The organization has no users.</p>}
      {pages.rows !== undefined && pages.rows.length > 0 && (
        <div class="scroll tall">
          <table>
            <thead>
              <tr>
                <th scope="col">User</th>
                <th scope="col">Role</th>
                <th scope="col" class="number">
                  Used this period
                </th>
                <th scope="col" class="number">
                  Limit
                </th>
                <th scope="col">State</th>
                <th scope="col">
                  <span class="unseen">Change</span>
                </th>
              </tr>
            </thead>
            <tbody>
              {pages.rows.map((row) => (
                <UserRow
                  key={row.user_id}
                  row={row}
                  isEdited={edited === row.user_id}
                  focus={focus}
                  onEdit={() => edit(row.user_id)}
                  onLeave={leave}
                  onLimit={(limit) => onLimit(row, limit)}
                  onDrop={() => onDrop(row)}
                />
              ))}
            </tbody>
          </table>
        </div>
      )}
      <MoreButton pages={pages} />
      {act.view}
    </Card>
  )
}

// What the focus is handed on to.
const fieldName = (userId: string): string => `field ${userId}`
const buttonName = (userId: string): string => `button ${userId}`

interface UserRowProps {
  readonly row: UserLimitRow
  readonly isEdited: boolean
  readonly focus: FocusMoves
  readonly onEdit: () => void
  readonly onLeave: () => void
  readonly onLimit: (limit: number | null) => void
  readonly onDrop: () => void
}

function UserRow({ row, isEdited, focus, onEdit, onLeave, onLimit, onDrop }: UserRowProps) {
  const onSubmit = (event: SubmitEvent): void => {
    event.preventDefault()
    onLimit(readCount(new FormData(event.currentTarget as HTMLFormElement).get('user-limit')))
  }
  return (
    <tr>
      <th scope="row">{row.user_name}</th>
      <td>{row.role}</td>
      <td class="number">{formatCount(row.used_tokens)}</td>
      <td class="number">
        {row.limit_tokens === null ? 'none' : formatCount(row.limit_tokens)}
        {row.limit_from === 'default' && <small class="quiet"> (default)</small>}
      </td>
      <td>
        <StateBadge state={row.state} />
      </td>
      <td>
        {isEdited ? (
          <form class="inline" onSubmit={onSubmit}>
            <input
              ref={focus.place(fieldName(row.user_id))}
              name="user-limit"
              aria-label={`Own limit of ${row.user_name} in LLM tokens, empty: none`}
              inputMode="numeric"
              pattern={COUNT_PATTERN}
              title={COUNT_TITLE}
              placeholder="none"
              defaultValue={row.limit_from === 'default' ? '' : (row.limit_tokens ?? '')}
            />
            <button type="submit">Set</button>
            <button type="button" onClick={onLeave}>
              Cancel
            </button>
            {row.limit_from === 'user' && (
              <button type="button" onClick={onDrop}>
                Back to the default
              </button>
            )}
          </form>
        ) : (
          <button
            type="button"
            class="link"
            ref={focus.place(buttonName(row.user_id))}
            aria-label={`Change the limit of ${row.user_name}`}
            onClick={onEdit}
          >
            Change
          </button>
        )}
      </td>
    </tr>
  )
}
