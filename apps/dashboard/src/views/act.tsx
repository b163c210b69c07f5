import type { ComponentChildren } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'

/** A change that the user confirms first, and what became of it. */
export interface Act {
  readonly run: (question: string, work: () => Promise<void>, done: string) => void
  /** Question and answer; stands beside the forms that run changes. */
  readonly view: ComponentChildren
}

interface Question {
  readonly text: string
  readonly onYes: () => void
}

/** Makes changes ask first and say how they ended; `onDone` after each that was accepted. */
export function useAct(onDone: () => void): Act {
  const [question, setQuestion] = useState<Question>()
  const [message, setMessage] = useState<{ text: string; isError: boolean }>()
  const perform = async (work: () => Promise<void>, done: string): Promise<void> => {
    try {
      await work()
      setMessage({ text: done, isError: false })
      onDone()
    } catch (error) {
      setMessage({ text: error instanceof Error ? error.message : String(error), isError: true })
    }
  }
  const run: Act['run'] = (text, work, done) => {
    setMessage(undefined)
    setQuestion({ text, onYes: () => void perform(work, done) })
  }
  const view = (
    <>
      {question !== undefined && <Confirm question={question} onEnd={() => setQuestion(undefined)} />}
      {message !== undefined && (
        <p role={message.isError ? 'alert' : 'status'} class={message.isError ? undefined : 'done'}>
          {message.text}
        </p>
      )}
    </>
  )
  return { run, view }
}

function Confirm({ question, onEnd }: { readonly question: Question; readonly onEnd: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null)
  useEffect(() => dialog.current?.showModal(), [])
  return (
    <dialog ref={dialog} aria-labelledby="confirm-question" onClose={onEnd}>
      <p id="confirm-question">{question.text}</p>
      <form method="dialog">
        <button type="submit" class="primary" onClick={question.onYes}>
          Confirm
        </button>
        <button type="submit" autofocus>
          Cancel
        </button>
      </form>
    </dialog>
  )
}
