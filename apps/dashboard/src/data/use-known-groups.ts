import type { SupabaseClient } from '@supabase/supabase-js'
import { useEffect, useState } from 'preact/hooks'
import { groupOf, KIND_KEYS } from '../chart/stack.ts'
import type { Group } from '../filters/filters.ts'
import type { Span } from '../filters/span.ts'
import { callReport } from './use-report.ts'

const RETRY_MS = 10_000

/**
 * Keys of all groups of a span, the largest first, whatever the filters leave of them; undefined until they are known. They
 * are asked for once, so that nothing changes its colour before one's eyes.
 */
export function useKnownGroups(
  client: SupabaseClient,
  organizationId: string,
  { start, end }: Span,
  by: Group,
): readonly string[] | undefined {
  const key = JSON.stringify([organizationId, start, end, by])
  const [known, setKnown] = useState<{ readonly key: string; readonly groups: readonly string[] }>()
  useEffect(() => {
    if (by === 'token_kind') return
    let isOver = false
    let timer: ReturnType<typeof setTimeout> | undefined
    const tell = (groups: readonly string[]): void => {
      if (!isOver) setKnown({ key, groups })
    }
    const query = { organization_id: organizationId, start, end, bucket: 'total' as const, group_by: [by] }
    const ask = (): void => {
      callReport(client, 'report_usage_whole', query).then(
        (rows) => {
          const ordered = [...rows].sort((one, two) => Number(BigInt(two.tokens_used) - BigInt(one.tokens_used)))
          tell(ordered.map((row) => groupOf(row, by).key))
        },
        () => {
          // Without them what is shown is told apart all the same.
          tell([])
          if (!isOver) timer = setTimeout(ask, RETRY_MS)
        },
      )
    }
    ask()
    return () => {
      isOver = true
      clearTimeout(timer)
    }
  }, [key])
  if (by === 'token_kind') return KIND_KEYS
  return known?.key === key ? known.groups : undefined
}
