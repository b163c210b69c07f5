import type { SupabaseClient } from '@supabase/supabase-js'
import type { QuotaRow } from '../data/reports.ts'
import type { useNames } from '../data/use-names.ts'
import type { Filters } from '../filters/filters.ts'
import type { Span } from '../filters/span.ts'
import type { FocusMoves } from './use-focus-moves.ts'

/** What each part of an organization's page is given. */
export interface SectionProps {
  readonly client: SupabaseClient
  readonly organizationId: string
  readonly position: QuotaRow
  readonly span: Span
  readonly filters: Filters
  readonly change: (part: Partial<Filters>) => void
  /** Told the rows that name users. */
  readonly learnNames: ReturnType<typeof useNames>[1]
  /** Of the filters and what they open. */
  readonly focus: FocusMoves
}
