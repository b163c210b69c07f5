import type { ComponentChildren } from 'preact'
import { useEffect } from 'preact/hooks'
import type { Pages } from '../data/use-pages.ts'
import { formatCount } from '../figures/format.ts'

/** While something is fetched; it takes the place that the answer will have, so that nothing jumps. */
export const Loading = ({ what, isTall = false }: { readonly what: string; readonly isTall?: boolean }) => (
  <p class={isTall ? 'loading tall' : 'loading'} role="status">
    Loading {what} …
  </p>
)

/** When something could not be fetched. */
export const Failure = ({ what, error, onRetry }: { what: string; error: string; onRetry: () => void }) => (
  <p class="failure" role="alert">
    {what} could not be read: {error}{' '}
    <button type="button" onClick={onRetry}>
      Try again
    </button>
  </p>
)

/** In place of what does not exist or is not for the caller's eyes, with a way back. */
export const Nothing = ({ onBack }: { readonly onBack: () => void }) => (
  <p class="empty">
    There is nothing here that you may see.{' '}
    <button type="button" class="link" onClick={onBack}>
      Go back to what you may
    </button>
  </p>
)

interface CardProps {
  readonly title: string
  /** Of a heading that the focus may be handed on to. */
  readonly headingRef?: (element: HTMLElement | null) => void
  readonly children: ComponentChildren
}

/** A titled part of the page. */
export const Card = ({ title, headingRef, children }: CardProps) => (
  <section class="card" aria-label={title}>
    {headingRef === undefined ? (
      <h2>{title}</h2>
    ) : (
      <h2 ref={headingRef} tabIndex={-1}>
        {title}
      </h2>
    )}
    {children}
  </section>
)

interface ScrollProps {
  readonly label: string
  readonly isTall?: boolean
  readonly children: ComponentChildren
}

/** The place of a table that nothing in it leads into; it is scrolled by keyboard too where it is too small. */
export const Scroll = ({ label, isTall = false, children }: ScrollProps) => (
  // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached without a mouse (WCAG 2.1.1)
  <fieldset class={isTall ? 'scroll tall' : 'scroll'} aria-label={label} tabIndex={0}>
    {children}
  </fieldset>
)

/** A state as a word in its colour. */
export const StateBadge = ({ state }: { readonly state: string }) => <span class={`state ${state}`}>{state}</span>

interface UnpricedProps {
  readonly usd: string | null
  readonly count: string
}

/** Beside an amount of money: how many calls without a known price it leaves out. */
export const Unpriced = ({ usd, count }: UnpricedProps) =>
  usd !== null && BigInt(count) > 0n ? <small class="unpriced"> + {formatCount(count)} unpriced</small> : null

/** Asks for the next page where there is one. */
export const MoreButton = ({ pages }: { readonly pages: Pick<Pages<unknown>, 'hasMore' | 'showMore'> }) =>
  pages.hasMore ? (
    <button type="button" class="more" onClick={pages.showMore}>
      Show more
    </button>
  ) : null

/** Names the window, and with it what is printed or bookmarked. */
export function useTitle(title: string | undefined): void {
  useEffect(() => {
    document.title = title === undefined ? 'Tollgate usage' : `${title} – Tollgate`
  }, [title])
}
