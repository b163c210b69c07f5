-- A project may have counted in usage_metrics before: its table is taken over, rows included (47-adopt makes opening
-- balances of them). Several rows of one organization, user and day become one, which is their sum.
do $$
begin
  if to_regclass('public.usage_metrics') is null then
    return;
  end if;
  perform tollgate.adopt_table('public.usage_metrics', '{organization_id,user_id,date}',
    '{organization_id,user_id,date,tokens_used,cost_usd,message_count}');
  perform tollgate.adopt_column('public.usage_metrics', 'organization_id', 'uuid', null);
  perform tollgate.adopt_column('public.usage_metrics', 'user_id', 'uuid', null);
  perform tollgate.adopt_column('public.usage_metrics', 'date', 'date', null);
  perform tollgate.demand_key('public.usage_metrics', '{organization_id,user_id,date}');
  perform tollgate.demand_mergeable('public.usage_metrics', '{organization_id,user_id,date}');
  perform tollgate.adopt_column('public.usage_metrics', 'tokens_used', 'bigint', '0', '0');
  perform tollgate.adopt_column('public.usage_metrics', 'output_tokens', 'bigint', '0', '0');
  perform tollgate.adopt_column('public.usage_metrics', 'input_tokens', 'bigint', 'tokens_used - output_tokens', '0');
  perform tollgate.adopt_column('public.usage_metrics', 'cost_usd', 'numeric(30,12)', '0', '0');
  perform tollgate.adopt_column('public.usage_metrics', 'charge_usd', 'numeric(30,12)', '0', '0');
  perform tollgate.adopt_column('public.usage_metrics', 'message_count', 'bigint', '0', '0');
  perform tollgate.adopt_column('public.usage_metrics', 'event_count', 'bigint', '0', '0');
  perform tollgate.adopt_column('public.usage_metrics', 'unpriced_events', 'bigint', '0', '0');
  perform tollgate.adopt_column('public.usage_metrics', 'updated_at', 'timestamp with time zone', 'now()', 'now()');

  with merged as (
    select m.ctid, row_number() over day as place, sum(m.tokens_used) over day as tokens_used,
      sum(m.output_tokens) over day as output_tokens, sum(m.input_tokens) over day as input_tokens,
      sum(m.cost_usd) over day as cost_usd, sum(m.charge_usd) over day as charge_usd,
      sum(m.message_count) over day as message_count, count(*) over day as copies
    from public.usage_metrics m
    window day as (partition by m.organization_id, m.user_id, m.date order by m.ctid
      rows between unbounded preceding and unbounded following)
  ), dropped as (
    delete from public.usage_metrics m using merged r where m.ctid = r.ctid and r.place > 1
  )
  update public.usage_metrics m set tokens_used = r.tokens_used, output_tokens = r.output_tokens,
    input_tokens = r.input_tokens, cost_usd = r.cost_usd, charge_usd = r.charge_usd, message_count = r.message_count
  from merged r where m.ctid = r.ctid and r.place = 1 and r.copies > 1;
  perform tollgate.adopt_key('public.usage_metrics', '{organization_id,user_id,date}');
  alter table public.usage_metrics set (fillfactor = 60);
end
$$;
