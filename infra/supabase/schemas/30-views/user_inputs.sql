-- Purpose: names what all users of an organization share in what is decided on them: another key means to decide anew.
-- Parameters: time_zone, reduced_configs, mode (of quota_inputs), default_version (of the default for users; null: none).
-- Returns: text.
create function tollgate.shared_user_key(time_zone text, reduced_configs jsonb, mode text, default_version bigint) returns text
language sql stable parallel safe
return md5(concat_ws('|', time_zone, reduced_configs, mode, 'default ' || default_version));

-- Purpose: names what a decision on one user is made from beside usage: another key means that it was made from something else.
-- Parameters: period_end (of quota_inputs), own_version (of the user's row in user_quotas; null: none), shared_key (as above),
--   act_decision (of the manual act that holds; null: none). Returns: text.
create function tollgate.user_inputs_key(period_end timestamptz, own_version bigint, shared_key text, act_decision text) returns text
language sql stable parallel safe
return md5(concat_ws('|', extract(epoch from period_end), coalesce(own_version, 0), shared_key, act_decision));

-- Purpose: whether a default falls on users who have no row yet: it was set, or it is 0 and somebody has joined.
-- Parameters: held. Returns: boolean. Reads only, with the caller's rights. Who uses something under a default gets a row then.
-- Invariant: one look into an index for each member. As a join it would be up to the statistics, which may know of no member yet.
create function tollgate.must_enroll(held tollgate.user_quota_defaults) returns boolean
language sql stable parallel safe
as $$
  select held.is_limiting and (not held.is_enrolled or held.max_tokens = 0 and exists (
    select from tollgate.directory_members m
    where m.organization_id = held.organization_id and (
      select q.user_id from tollgate.user_quotas q where q.organization_id = m.organization_id and q.user_id = m.user_id) is null))
$$;

-- Purpose: the users of an organization whose own limit, or the default for users, must be looked at, a page at a time.
-- Parameters: for_organization, shared_key (at present), at, after (the cursor of the last row of the page before; null: from the
--   first), max_rows. Returns: user ids with their cursors, in four rounds: who is due by what has changed, who by time, and who
--   was decided on under another shared key, below and above. Reads only, with the caller's rights.
-- Invariant: who needs no evaluation is neither listed nor read, nor is who comes before the page: each round is a range of an
--   index. A page that is not full is the last one: whoever is due and was so from the first page on has had its turn by then.
create function tollgate.list_due_users(
  for_organization uuid, shared_key text, at timestamptz, after text, max_rows integer)
returns table (user_id uuid, cursor text)
language sql stable security invoker set search_path = ''
as $$
  select d.user_id, concat_ws('|', d.round, d.place, d.user_id)
  from (
    select e.*, row_number() over (partition by e.user_id order by e.round) as turn
    from (
      (select 1 as round, '' as place, q.user_id from tollgate.user_quotas q
        where coalesce(split_part(after, '|', 1)::integer, 1) <= 1 and q.organization_id = for_organization and q.is_due
          and q.user_id >= coalesce(split_part(after, '|', 3)::uuid, '00000000-0000-0000-0000-000000000000')
          and q.user_id is distinct from split_part(after, '|', 3)::uuid
        order by q.user_id limit max_rows)
      union all
      (select 2, to_char(s.wakes_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), s.user_id
        from tollgate.user_enforcement_states s
        where coalesce(split_part(after, '|', 1)::integer, 1) <= 2 and s.organization_id = for_organization
          and s.wakes_at <= at and s.wakes_at < 'infinity'
          and (s.wakes_at, s.user_id) >= (
            case when after like '2|%' then split_part(after, '|', 2) else '-infinity' end::timestamptz,
            case when after like '2|%' then split_part(after, '|', 3) else '00000000-0000-0000-0000-000000000000' end::uuid)
          and s.user_id is distinct from split_part(after, '|', 3)::uuid
        order by s.wakes_at, s.user_id limit max_rows)
      union all
      (select 3, s.shared_key, s.user_id from tollgate.user_enforcement_states s
        where coalesce(split_part(after, '|', 1)::integer, 1) <= 3 and s.organization_id = for_organization
          and s.shared_key < list_due_users.shared_key
          and (s.shared_key, s.user_id) >= (
            case when after like '3|%' then split_part(after, '|', 2) else '' end,
            case when after like '3|%' then split_part(after, '|', 3) else '00000000-0000-0000-0000-000000000000' end::uuid)
          and s.user_id is distinct from split_part(after, '|', 3)::uuid
        order by s.shared_key, s.user_id limit max_rows)
      union all
      (select 4, s.shared_key, s.user_id from tollgate.user_enforcement_states s
        where s.organization_id = for_organization and s.shared_key > list_due_users.shared_key
          and (s.shared_key, s.user_id) >= (
            case when after like '4|%' then split_part(after, '|', 2) else list_due_users.shared_key end,
            case when after like '4|%' then split_part(after, '|', 3) else '00000000-0000-0000-0000-000000000000' end::uuid)
          and s.user_id is distinct from split_part(after, '|', 3)::uuid
        order by s.shared_key, s.user_id limit max_rows)) e) d
  where d.turn = 1
  order by d.round, d.place, d.user_id
  limit max_rows
$$;

grant execute on function
  tollgate.shared_user_key, tollgate.user_inputs_key, tollgate.must_enroll, tollgate.list_due_users
  to tollgate_token_api, tollgate_quota_enforcer, service_role;
