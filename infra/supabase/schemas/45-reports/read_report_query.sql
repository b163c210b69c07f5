-- Purpose: read and check the argument of a usage report. Parameters: query = { organization_id, start, end, bucket,
--   group_by: [model | user | token_kind], user_id?, model? }; start inclusive, end exclusive, days of the organization.
-- Returns: the query, typed. Errors: 22023 for an unknown bucket or group, an empty or too long span.
-- Invariant: an hourly report, the one that reads the ledger, spans 48 hours at most. Reads nothing.
create function tollgate.read_report_query(query jsonb) returns tollgate.usage_report_query
language plpgsql immutable security invoker set search_path = ''
as $$
declare
  asked jsonb := tollgate.unwrap(query);
  groups jsonb := coalesce(asked -> 'group_by', '[]');
  q tollgate.usage_report_query;
begin
  q.organization_id := (asked ->> 'organization_id')::uuid;
  q.start_date := (asked ->> 'start')::date;
  q.end_date := (asked ->> 'end')::date;
  q.bucket := coalesce(asked ->> 'bucket', 'day');
  q.by_model := groups ? 'model';
  q.by_user := groups ? 'user';
  q.by_token_kind := groups ? 'token_kind';
  q.user_id := (asked ->> 'user_id')::uuid;
  q.model := asked ->> 'model';
  if q.organization_id is null or q.start_date is null or q.end_date is null then
    raise exception 'organization_id, start and end are required' using errcode = '22023';
  end if;
  if q.bucket not in ('hour', 'day', 'month', 'total')
    or exists (select from jsonb_array_elements_text(groups) g where g not in ('model', 'user', 'token_kind')) then
    raise exception 'bucket is one of hour, day, month, total; group_by of model, user, token_kind' using errcode = '22023';
  end if;
  if q.start_date >= q.end_date or q.end_date - q.start_date > (case q.bucket when 'hour' then 2 else 800 end) then
    raise exception 'the span must be 1 to 800 days, of hours 1 or 2 days' using errcode = '22023';
  end if;
  return q;
end
$$;

grant execute on function tollgate.read_report_query to authenticated, service_role, tollgate_token_api;
