/** What `open_proxy_session` takes; see the header of its SQL file. */
export interface ProxySessionOpening {
  session_hash: string
  presented_hash: string | null
  handoff_id: string
  access_token_id?: string | undefined // a handoff of our own stands for no access token
  login_session_id: string
  user_id: string
  organization_id: string
  domain: string
  expires_at: string
}

/** Browser sessions at the proxy in front of LibreChat. */
export type ProxyFunctions = {
  open_proxy_session: {
    args: { opening: ProxySessionOpening }
    row: { outcome: 'opened' | 'repeated' | 'replayed' | 'wrong_organization'; login_session_id: string }
  }
  find_proxy_session: {
    args: { session_sha256: string }
    row: {
      token_id: string
      login_session_id: string
      organization_id: string
      user_id: string
      role: string | null
      expires_at: string
      ended: boolean
    }
  }
}
