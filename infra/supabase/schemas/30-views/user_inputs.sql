-- Purpose: names what all users of an organization share in what is decided on them: another key means to decide anew.
-- Parameters: time_zone, reduced_configs, mode (of quota_inputs), default_version (of the default for users; null: none).
-- Returns: text.
create function tollgate.shared_user_key(time_zone text, reduced_configs jsonb, mode text, default_version bigint) returns text
language sql stable parallel safe
return md5(concat_ws('|', time_zone, reduced_configs, mode, 'default ' || default_version));

-- Purpose: whether a default falls on users who have no row yet: it was set, or it is 0 and somebody has joined.
-- Parameters: held. Returns: boolean. Reads only, with the caller's rights. Who uses something under a default gets a row then.
create function tollgate.must_enroll(held tollgate.user_quota_defaults) returns boolean
language sql stable parallel safe
as $$
  select held.is_limiting and (not held.is_enrolled or held.max_tokens = 0 and exists (
    select from tollgate.directory_members m
    where m.organization_id = held.organization_id and not exists (
      select from tollgate.user_quotas q where q.organization_id = m.organization_id and q.user_id = m.user_id)))
$$;

-- Purpose: the users of an organization whose own limit, or the default for users, must be looked at. Parameters: for_organization,
--   shared_key (at present), at, max_rows. Returns: user ids, the lowest first. Reads only, with the caller's rights.
-- Invariant: who needs no evaluation is neither listed nor read: each condition is a range of an index.
create function tollgate.list_due_users(for_organization uuid, shared_key text, at timestamptz, max_rows integer)
returns table (user_id uuid)
language sql stable security invoker set search_path = ''
as $$
  select d.user_id
  from (
    (select q.user_id from tollgate.user_quotas q
      where q.organization_id = for_organization and q.is_due order by q.user_id limit max_rows)
    union
    (select s.user_id from tollgate.user_enforcement_states s
      where s.organization_id = for_organization and s.wakes_at <= at and s.wakes_at < 'infinity'
      order by s.wakes_at limit max_rows)
    union
    (select s.user_id from tollgate.user_enforcement_states s
      where s.organization_id = for_organization and s.shared_key < list_due_users.shared_key
      order by s.shared_key, s.user_id limit max_rows)
    union
    (select s.user_id from tollgate.user_enforcement_states s
      where s.organization_id = for_organization and s.shared_key > list_due_users.shared_key
      order by s.shared_key, s.user_id limit max_rows)) d
  order by d.user_id
  limit max_rows
$$;

grant execute on function tollgate.shared_user_key, tollgate.must_enroll, tollgate.list_due_users
  to tollgate_token_api, tollgate_quota_enforcer, service_role;
