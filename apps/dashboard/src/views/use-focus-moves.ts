import { useRef } from 'preact/hooks'

/** Hands the keyboard's focus on where a change takes away what has it, such as the button of a form that opens in its place. */
export interface FocusMoves {
  /** What is focused as soon as it is there, unless the user has gone elsewhere by then. */
  readonly want: (name: string) => void
  /** The ref of what bears a name. */
  readonly place: (name: string) => (element: HTMLElement | null) => void
}

/** Moves of the focus within one part of the page. */
export function useFocusMoves(): FocusMoves {
  const wanted = useRef<{ readonly name: string; readonly from: Element | null } | undefined>(undefined)
  return {
    want: (name) => {
      wanted.current = { name, from: document.activeElement }
    },
    place: (name) => (element) => {
      if (element === null || wanted.current?.name !== name) return
      const { from } = wanted.current
      wanted.current = undefined
      const present = document.activeElement
      // What had the focus and is gone has left it to the body.
      if (present === null || present === document.body || present === from) element.focus()
    },
  }
}
