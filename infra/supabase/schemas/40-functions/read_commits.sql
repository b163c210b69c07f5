-- Purpose: the commits of a call of commit_reservations as rows. Parameters: commits (jsonb array).
-- Returns: a row a commit, ordinal from 1; digest = the identity of its event, as in usage_event_identities. Reads nothing.
create function tollgate.read_commits(commits jsonb)
returns table (
  ordinal integer, reservation_id uuid, strict boolean, key_organization_id uuid, organization_id uuid, user_id uuid,
  session_id text, digest bytea, event jsonb)
language sql stable security invoker set search_path = '' rows 50
as $$
  select c.ordinality::integer, (c.value ->> 'reservation_id')::uuid, (c.value ->> 'strict')::boolean,
    (c.value ->> 'organization_id')::uuid, (e.event ->> 'organization_id')::uuid, (e.event ->> 'user_id')::uuid,
    e.event ->> 'session_id',
    tollgate.identity_digest(e.event ->> 'source', e.event ->> 'id'),
    e.event
  from jsonb_array_elements(commits) with ordinality c
  cross join lateral (select c.value -> 'event' as event) e
$$;

grant execute on function tollgate.read_commits to tollgate_token_api, service_role;
