-- Purpose: the next day of an organization that has anything to reconcile. Parameters: after_organization, after_date (both
--   null: the first); since (null: any day); only_organization (null: all). Returns: no row at the end, else one. Reads only.
-- Invariant: each step is a look into the beginning of an index, whatever the tables hold.
create function tollgate.next_day(
  after_organization uuid, after_date date, since date default null, only_organization uuid default null)
returns table (organization_id uuid, date date)
language plpgsql stable security invoker set search_path = ''
as $$
#variable_conflict use_column
declare
  current uuid := coalesce(after_organization, only_organization);
  above date := coalesce(greatest(after_date, since - 1), '-infinity');
  found_date date;
begin
  loop
    if current is not null then
      found_date := least(
        (select min(e.usage_date) from tollgate.usage_events e where e.organization_id = current and e.usage_date > above),
        (select min(s.date) from tollgate.sealed_days s where s.organization_id = current and s.date > above),
        (select min(m.date) from public.usage_metrics m where m.organization_id = current and m.date > above),
        (select min(b.date) from tollgate.usage_by_model b where b.organization_id = current and b.date > above));
      if found_date is not null then
        return query select current, found_date;
        return;
      end if;
      exit when only_organization is not null;
    end if;
    current := tollgate.next_organization(current);
    exit when current is null;
    above := coalesce(since - 1, '-infinity');
  end loop;
end
$$;

-- Purpose: the next organization in any of the books. Parameters: after (null: the first). Returns: null at the end.
create function tollgate.next_organization(after uuid) returns uuid
language sql stable security invoker set search_path = ''
as $$
  select least(
    (select e.organization_id from tollgate.usage_events e where e.organization_id > f.after
      order by e.organization_id limit 1),
    (select s.organization_id from tollgate.sealed_days s where s.organization_id > f.after
      order by s.organization_id limit 1),
    (select m.organization_id from public.usage_metrics m where m.organization_id > f.after
      order by m.organization_id limit 1),
    (select b.organization_id from tollgate.usage_by_model b where b.organization_id > f.after
      order by b.organization_id limit 1))
  from (select coalesce(next_organization.after, '00000000-0000-0000-0000-000000000000'::uuid) as after) f
$$;

-- Purpose: the next UTC day on which chat sessions of an organization started. Parameters, returns: as next_day.
create function tollgate.next_session_day(
  after_organization uuid, after_date date, since date default null, only_organization uuid default null)
returns table (organization_id uuid, date date)
language plpgsql stable security invoker set search_path = ''
as $$
#variable_conflict use_column
declare
  current uuid := coalesce(after_organization, only_organization);
  first_moment timestamptz := coalesce((greatest(after_date + 1, since))::timestamp at time zone 'UTC', '-infinity');
  found_at timestamptz;
begin
  loop
    if current is not null then
      found_at := (select min(s.started_at) from public.chat_sessions s
        where s.organization_id = current and s.started_at >= first_moment);
      if found_at is not null then
        return query select current, (found_at at time zone 'UTC')::date;
        return;
      end if;
      exit when only_organization is not null;
    end if;
    current := (select s.organization_id from public.chat_sessions s
      where s.organization_id > coalesce(current, '00000000-0000-0000-0000-000000000000'::uuid)
      order by s.organization_id limit 1);
    exit when current is null;
    first_moment := coalesce(since::timestamp at time zone 'UTC', '-infinity');
  end loop;
end
$$;

grant execute on function tollgate.next_day, tollgate.next_organization, tollgate.next_session_day
  to tollgate_usage_worker, service_role;

-- Purpose: the next slice of a stage of reconcile_books. Parameters: stage; after_organization and after_at (null: from the
--   beginning), since, only_organization. Returns: no row at the end, else one, with a day or a period's start as text.
create function tollgate.next_slice(
  stage text, after_organization uuid, after_at text, since date, only_organization uuid)
returns table (organization_id uuid, at text)
language plpgsql stable security invoker set search_path = ''
as $$
#variable_conflict use_column
begin
  case stage
    when 'days' then
      return query select d.organization_id, d.date::text
      from tollgate.next_day(after_organization, after_at::date, since, only_organization) d;
    when 'months' then -- none that is over has a day of the last two
      if since is null or since < (now() at time zone 'UTC')::date - 2 then
        return query select d.organization_id, date_trunc('month', d.date::timestamp)::date::text
        from tollgate.next_day(
          after_organization, (after_at::date + interval '1 month')::date - 1, since, only_organization) d;
      end if;
    when 'sessions' then
      return query select d.organization_id, d.date::text
      from tollgate.next_session_day(after_organization, after_at::date, since, only_organization) d;
    when 'periods' then
      return query select t.organization_id, t.period_start::text
      from tollgate.period_totals t
      where (t.organization_id, t.period_start) > (
          coalesce(after_organization, only_organization, '00000000-0000-0000-0000-000000000000'::uuid),
          coalesce(after_at::timestamptz, '-infinity'))
        and (only_organization is null or t.organization_id = only_organization)
        and (since is null or t.period_start >= since - 70)
      order by t.organization_id, t.period_start limit 1;
  end case;
end
$$;

grant execute on function tollgate.next_slice to tollgate_usage_worker, service_role;
