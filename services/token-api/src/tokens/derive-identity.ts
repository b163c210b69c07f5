import { type AccessTokenClaims, type Role, role as roles } from '@tollgate/shared/contracts'
import type { RpcRow } from '@tollgate/shared/store'

/** The claims that say who a user is. */
export type Identity = Pick<AccessTokenClaims, 'email' | 'name' | 'username' | 'avatar' | 'role'>

type Profile = Pick<RpcRow<'find_login'>, 'email' | 'full_name' | 'username' | 'avatar_url' | 'role'>

/** Fills what a profile leaves open: the e-mail as name, the part before the @ as username, initials as avatar. */
export function deriveIdentity({ full_name, username, avatar_url, role, ...profile }: Profile): Identity {
  const email = profile.email ?? ''
  const name = textOf(full_name) ?? email
  return {
    email,
    name,
    username: textOf(username) ?? email.split('@', 1)[0] ?? email,
    avatar: textOf(avatar_url) ?? `https://ui-avatars.com/api/?name=${encodeName(name)}&background=0D9488&color=fff`,
    role: readRole(role),
  }
}

/** A role as we know it: who has none, or one that we do not know, is no more than a user. */
export function readRole(stored: string | null): Role {
  return roles.catch('user').parse(stored)
}

function textOf(text: string | null): string | undefined {
  return text?.trim() || undefined
}

// encodeURIComponent throws at a lone surrogate, which a profile may hold.
function encodeName(name: string): string {
  return encodeURIComponent(name.toWellFormed())
}
