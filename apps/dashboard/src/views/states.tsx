import type { ComponentChildren } from 'preact'

/** While something is fetched; it takes the place that the answer will have, so that nothing jumps. */
export const Loading = ({ what }: { readonly what: string }) => (
  <p class="loading" role="status">
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

/** A titled part of the page. */
export const Card = ({ title, children }: { readonly title: string; readonly children: ComponentChildren }) => (
  <section class="card" aria-label={title}>
    <h2>{title}</h2>
    {children}
  </section>
)
