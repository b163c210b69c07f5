-- Purpose: what was sent to an organization's endpoints, for its admin, newest first, a page at a time.
-- Parameters: query = { organization_id, limit? (1 to 500, default 50), after? = the `cursor` of the last row of the page
--   before }. Returns: a row a delivery; nothing for whoever may not read the organization.
-- Security definer: endpoints hold secrets, so that no signed-in user may read their table; none is returned.
create function public.report_webhook_deliveries(query jsonb)
returns table (id uuid, endpoint_url text, type text, created_at timestamptz, state text, attempts integer, last_status integer,
  last_error text, delivered_at timestamptz, cursor text)
language sql stable security definer set search_path = ''
as $$
  select d.id, e.url, d.type, d.created_at, d.state, d.attempts, d.last_status, d.last_error, d.delivered_at, d.seq::text
  from (select (a ->> 'organization_id')::uuid as organization_id, (a ->> 'after')::bigint as after,
    least(greatest(coalesce((a ->> 'limit')::integer, 50), 1), 500) as max_rows
    from (select tollgate.unwrap(query) as a) r) q
  cross join lateral (
    select p.* from tollgate.webhook_endpoints o
    join tollgate.webhook_deliveries p on p.endpoint_id = o.id
    where o.organization_id = q.organization_id and (q.after is null or p.seq < q.after)
    order by p.seq desc limit q.max_rows) d
  join tollgate.webhook_endpoints e on e.id = d.endpoint_id
  where (select tollgate.may_read_organization(q.organization_id))
  order by d.seq desc
$$;

revoke execute on function public.report_webhook_deliveries from public, anon;
grant execute on function public.report_webhook_deliveries to authenticated, service_role;
