import type { AccessTokenClaims } from '@tollgate/shared/contracts'
import type { RpcRow } from '@tollgate/shared/store'

/** The claims that say who a user is. */
export type Identity = Pick<AccessTokenClaims, 'email' | 'name' | 'username' | 'avatar' | 'role'>

type Profile = Pick<RpcRow<'find_login'>, 'email' | 'full_name' | 'username' | 'avatar_url' | 'role'>

/** Fills what a profile leaves open: the e-mail as name, the part before the @ as username, initials as avatar. */
export function deriveIdentity({ email, full_name, username, avatar_url, role }: Profile): Identity {
  const name = textOf(full_name) ?? email
  return {
    email,
    name,
    username: textOf(username) ?? email.split('@', 1)[0] ?? email,
    avatar: textOf(avatar_url) ?? `https://ui-avatars.com/api/?name=${encodeName(name)}&background=0D9488&color=fff`,
    role,
  }
}

function textOf(text: string | null): string | undefined {
  return text?.trim() || undefined
}

// encodeURIComponent throws at a lone surrogate, which a profile may hold.
function encodeName(name: string): string {
  return encodeURIComponent(name.toWellFormed())
}
