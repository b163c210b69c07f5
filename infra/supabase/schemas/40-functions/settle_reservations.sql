-- Purpose: end the holds that usage events name, in the transaction that counts the usage, just before the period totals.
-- Parameters: judged (all events of the batch, of which some name a hold), fresh (those that count now).
-- Returns: jsonb { settled, late, excess_tokens }: how many holds ended, how many events came after their hold had been
--   given back (or named none that is known), and by how much the usage exceeded what was held.
-- Locks: reserved_totals of the organizations, sorted, until the end of the transaction: reserve_tokens cannot see the
--   hold gone before the usage is there.
-- Invariant: a hold leaves the total of the open ones once; usage counts in any case. An event that counted before ends its
--   hold all the same; of one that is rejected the hold is given back.
create function tollgate.settle_reservations(judged tollgate.judged_event[], fresh tollgate.judged_event[]) returns jsonb
language plpgsql volatile security invoker set search_path = ''
as $$
declare
  named jsonb;
  result jsonb;
begin
  perform tollgate.lock_holds(array(
    select distinct j.organization_id from unnest(judged) j where j.reservation_id is not null));

  named := (
    select jsonb_agg(n) from (
      select j.reservation_id as id, j.organization_id, bool_or(j.rejection is null) as is_usage,
        (array_agg(encode(j.digest, 'hex') order by j.ordinal) filter (where j.rejection is null))[1] as digest,
        count(f.ordinal) as events, coalesce(sum(f.total_tokens), 0) as tokens
      from unnest(judged) j left join unnest(fresh) f on f.ordinal = j.ordinal
      where j.reservation_id is not null and j.type = 'usage.recorded'
      group by j.reservation_id, j.organization_id) n);

  with hold as materialized ( -- as they are before: the rows change below
    select n.*, r.state, r.total_tokens, r.settled_tokens
    from jsonb_to_recordset(named) as n (
      id uuid, organization_id uuid, is_usage boolean, digest text, events bigint, tokens bigint)
    left join tollgate.reservations r on r.id = n.id and r.organization_id = n.organization_id
  ), ended as (
    update tollgate.reservations r set
      state = case when h.is_usage then 'settled' else 'released' end, ended_at = now(),
      settled_tokens = r.settled_tokens + h.tokens, event_digest = coalesce(r.event_digest, decode(h.digest, 'hex')),
      is_late = r.is_late or r.state in ('released', 'expired')
    from hold h
    where r.id = h.id and r.organization_id = h.organization_id and (h.is_usage or r.state in ('held', 'committing'))
  ), given_back as (
    update tollgate.reserved_totals t set reserved_tokens = t.reserved_tokens - o.tokens, updated_at = now()
    from (select h.organization_id, sum(h.total_tokens) as tokens from hold h
      where h.state in ('held', 'committing') group by h.organization_id) o
    where t.organization_id = o.organization_id
  )
  select jsonb_build_object(
    'settled', count(*) filter (where h.state in ('held', 'committing') and h.is_usage),
    'late', coalesce(sum(h.events) filter (where coalesce(h.state, 'expired') in ('released', 'expired')), 0),
    'excess_tokens', coalesce(sum(greatest(0, h.settled_tokens + h.tokens - h.total_tokens)
      - greatest(0, h.settled_tokens - h.total_tokens)), 0))
  into result from hold h;
  return result;
end
$$;

grant execute on function tollgate.settle_reservations to tollgate_usage_worker, service_role;
