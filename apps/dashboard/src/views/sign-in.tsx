import type { SupabaseClient } from '@supabase/supabase-js'
import { useState } from 'preact/hooks'

/** Sign-in with e-mail and password, against Supabase Auth. */
export function SignIn({ client }: { readonly client: SupabaseClient }) {
  const [error, setError] = useState<string>()
  const [isBusy, setBusy] = useState(false)
  const onSubmit = async (event: SubmitEvent): Promise<void> => {
    event.preventDefault()
    const form = new FormData(event.currentTarget as HTMLFormElement)
    setBusy(true)
    const answer = await client.auth.signInWithPassword({
      email: String(form.get('email')),
      password: String(form.get('password')),
    })
    setError(answer.error?.message)
    setBusy(false)
  }
  return (
    <main class="sign-in">
      <h1>Tollgate usage</h1>
      <form onSubmit={onSubmit}>
        <label>
          E-mail <input name="email" type="email" autocomplete="username" required />
        </label>
        <label>
          Password <input name="password" type="password" autocomplete="current-password" required />
        </label>
        <button type="submit" class="primary" disabled={isBusy}>
          Sign in
        </button>
        {error !== undefined && <p role="alert">{error}</p>}
      </form>
    </main>
  )
}
