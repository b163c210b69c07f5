import type { Session, SupabaseClient } from '@supabase/supabase-js'
import { useEffect, useState } from 'preact/hooks'
import { createTokenApi } from './data/token-api.ts'
import { useReport } from './data/use-report.ts'
import { HOME, isId } from './filters/filters.ts'
import { useFilters } from './filters/use-filters.ts'
import { OrganizationList } from './views/organization-list.tsx'
import { OrganizationPage } from './views/organization-page.tsx'
import { SignIn } from './views/sign-in.tsx'
import { Failure, Loading, Nothing } from './views/states.tsx'

interface AppProps {
  readonly client: SupabaseClient
  readonly tokenApiUrl: string
}

/** The page: signed out, or signed in. */
export function App({ client, tokenApiUrl }: AppProps) {
  const [session, setSession] = useState<Session | null | undefined>(undefined)
  useEffect(() => {
    client.auth.getSession().then(({ data }) => setSession(data.session))
    const { data } = client.auth.onAuthStateChange((_event, next) => setSession(next))
    return () => data.subscription.unsubscribe()
  }, [client])
  if (session === undefined) return <Loading what="your session" />
  if (session === null) return <SignIn client={client} />
  return <SignedIn key={session.user.id} client={client} tokenApiUrl={tokenApiUrl} />
}

function SignedIn({ client, tokenApiUrl }: AppProps) {
  const [filters, change] = useFilters()
  const me = useReport(client, 'report_me', undefined)
  if (me.error !== undefined) return <Failure what="your account" error={me.error} onRetry={me.refresh} />
  if (me.rows === undefined) return <Loading what="your account" />
  const [self] = me.rows
  const organizationId = filters.organization ?? (self?.role === 'super_admin' ? null : self?.organization_id)
  return (
    <>
      <header class="bar-top">
        <strong>Tollgate</strong>
        {self?.role === 'super_admin' && organizationId !== null && (
          <button type="button" class="link" onClick={() => change(HOME)}>
            All organizations
          </button>
        )}
        <span class="grow" />
        <span>{self?.user_name ?? 'Unknown user'}</span>
        <button type="button" onClick={() => client.auth.signOut()}>
          Sign out
        </button>
      </header>
      <main>
        {self === undefined || organizationId === undefined ? (
          <p class="empty">You belong to no organization. Ask an administrator of yours to add you.</p>
        ) : organizationId === null ? (
          <OrganizationList {...{ client, change }} search={filters.search ?? ''} />
        ) : !isId(organizationId) ? (
          <Nothing onBack={() => change(HOME)} />
        ) : (
          <OrganizationPage
            key={organizationId}
            {...{ client, filters, change, self, organizationId }}
            api={createTokenApi(tokenApiUrl, client)}
          />
        )}
      </main>
    </>
  )
}
