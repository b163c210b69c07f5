import type { SupabaseClient } from '@supabase/supabase-js'
import { useState } from 'preact/hooks'
import type { GrantRow, Me, QuotaRow } from '../data/reports.ts'
import type { TokenApi } from '../data/token-api.ts'
import { usePages } from '../data/use-pages.ts'
import { toGrantLine } from '../exports/list-lines.ts'
import { formatCount, formatTime, tellActor } from '../figures/format.ts'
import { useAct } from './act.tsx'
import { ExportButtons } from './export-buttons.tsx'
import { GrantForm } from './grant-form.tsx'
import { Card, Failure, Loading, MoreButton, Scroll, StateBadge } from './states.tsx'
import { type FocusMoves, useFocusMoves } from './use-focus-moves.ts'
import { VoidGrantForm } from './void-grant-form.tsx'

interface GrantsCardProps {
  readonly client: SupabaseClient
  readonly api: TokenApi
  readonly self: Me
  readonly position: QuotaRow
  readonly onChanged: () => void
}

/** Every grant on top of the monthly limit, with what it has left; the platform's staff gives and voids them. */
export function GrantsCard({ client, api, self, position, onChanged }: GrantsCardProps) {
  const pages = usePages(client, 'report_grants', { organization_id: position.organization_id, limit: 20 })
  const { rows, error, refresh } = pages
  const act = useAct(() => {
    refresh()
    onChanged()
  })
  const isStaff = self.role === 'super_admin'
  const [voidedId, setVoidedId] = useState<string>()
  const focus = useFocusMoves()
  const startVoid = (id: string): void => {
    focus.want(FIELD)
    setVoidedId(id)
  }
  // The button of a grant that was voided is gone: the focus is handed to the heading then.
  const endVoid = (next: string): void => {
    focus.want(next)
    setVoidedId(undefined)
  }
  const voided = rows?.find(({ id, state }) => id === voidedId && state === 'open')
  return (
    <Card title="Grants" headingRef={focus.place(HEADING)}>
      {error !== undefined && <Failure what="The grants" error={error} onRetry={refresh} />}
      {rows === undefined && error === undefined && <Loading what="grants" />}
      {rows?.length === 0 && <p class="empty">Nothing was granted yet.</p>}
      {rows !== undefined && rows.length > 0 && (
        <>
          <GrantTable {...{ rows, focus }} timeZone={position.time_zone} onVoid={isStaff ? startVoid : undefined} />
          {voided !== undefined && (
            <VoidGrantForm
              key={voided.id}
              {...{ api, position, act }}
              grant={voided}
              fieldRef={focus.place(FIELD)}
              onKeep={() => endVoid(voided.id)}
              onVoided={() => endVoid(HEADING)}
            />
          )}
          <MoreButton pages={pages} />
          <ExportButtons name="grants" lines={() => rows.map(toGrantLine)} count={rows.length} />
        </>
      )}
      {isStaff && <GrantForm {...{ api, position, act }} />}
      {act.view}
    </Card>
  )
}

// What the focus is handed on to, beside the button of a grant, which bears its id.
const FIELD = 'field'
const HEADING = 'heading'

const NUMBERS: ReadonlySet<string> = new Set(['LLM tokens', 'Left', 'Spent', 'Priority'])
const HEADINGS = ['Given', 'State', 'LLM tokens', 'Left', 'Spent', 'Priority', 'Valid until', 'Reason', 'By'] as const

interface GrantTableProps {
  readonly rows: readonly GrantRow[]
  readonly timeZone: string
  readonly focus: FocusMoves
  /** Absent: whoever sees them may not void them. */
  readonly onVoid: ((id: string) => void) | undefined
}

const GrantTable = ({ rows, timeZone, focus, onVoid }: GrantTableProps) => (
  <Scroll label="Table of grants" isTall>
    <table data-table="grants">
      <thead>
        <tr>
          {HEADINGS.map((heading) => (
            <th key={heading} scope="col" class={NUMBERS.has(heading) ? 'number' : undefined}>
              {heading}
            </th>
          ))}
          {onVoid && <td />}
        </tr>
      </thead>
      <tbody>
        {rows.map((row) => (
          <tr key={row.id} class={row.state === 'open' ? undefined : 'over'}>
            <th scope="row">{formatTime(row.created_at, timeZone)}</th>
            <td>
              <StateBadge state={row.state} />
            </td>
            <td class="number">{formatCount(row.amount_tokens)}</td>
            <td class="number">{row.state === 'open' ? formatCount(row.left_tokens) : '–'}</td>
            <td class="number">{formatCount(row.spent_tokens)}</td>
            <td class="number">{row.priority}</td>
            <td>{row.expires_at === null ? 'it is spent' : formatTime(row.expires_at, timeZone)}</td>
            <td class="long">
              {row.reason}
              {row.void_reason !== null && row.voided_by !== null && (
                <small class="quiet" title={row.voided_by}>
                  {' '}
                  Voided by {tellActor(row.voided_by, row.voided_by_name)}: {row.void_reason}
                </small>
              )}
            </td>
            <td title={row.actor}>{tellActor(row.actor, row.actor_name)}</td>
            {onVoid && (
              <td>
                {row.state === 'open' && (
                  <button
                    type="button"
                    ref={focus.place(row.id)}
                    aria-label={`Void the grant “${row.reason}”`}
                    onClick={() => onVoid(row.id)}
                  >
                    Void
                  </button>
                )}
              </td>
            )}
          </tr>
        ))}
      </tbody>
    </table>
  </Scroll>
)
