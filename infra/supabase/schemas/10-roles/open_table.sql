-- Purpose: open a table to exactly those who need it, and to nobody else. Used by the files of 50-policies alone, and
--   dropped when they are through.
-- Parameters: target; rights = { service: [select | insert | update | delete, …] }, insert and update with columns where no
--   others may be written: "update (a, b)". Returns: nothing.
-- Invariant: row level security is enabled and forced; a right without a policy gives nothing, so each verb gets both.
--   The secret key of the project (service_role) may do everything, as everywhere in Supabase.
create function tollgate.open_table(target regclass, rights jsonb) returns void
language plpgsql set search_path = ''
as $$
declare
  service text;
  verb text;
begin
  execute format('alter table %s enable row level security', target);
  execute format('alter table %s force row level security', target);
  execute format('grant select, insert, update, delete on %s to service_role', target);
  execute format('create policy service_role_all on %s for all to service_role using (true) with check (true)', target);
  for service, verb in
    select s.key, v.verb from jsonb_each(rights) s cross join lateral jsonb_array_elements_text(s.value) v (verb)
  loop
    execute format('grant %s on %s to %I', verb, target, service);
    verb := split_part(verb, ' ', 1);
    execute format('create policy %I on %s for %s to %I %s', service || '_' || verb, target, verb, service,
      case verb
        when 'insert' then 'with check (true)'
        when 'update' then 'using (true) with check (true)'
        else 'using (true)'
      end);
  end loop;
end
$$;
