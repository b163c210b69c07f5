-- Endpoints as they are shown: without secrets.
create view tollgate.webhook_view with (security_invoker = true) as
select e.id, e.organization_id, e.url, e.types, e.created_by, e.created_at, e.previous_until, e.disabled_at
from tollgate.webhook_endpoints e;

grant select on tollgate.webhook_view to tollgate_token_api, service_role;

-- Deliveries as they are shown; `cursor` orders them.
create view tollgate.webhook_delivery_view with (security_invoker = true) as
select d.id, d.endpoint_id, d.organization_id, d.type, d.payload, d.created_at, d.state,
  case when d.state = 'pending' then d.due_at end as next_attempt_at, d.attempts, d.last_status, d.last_error, d.delivered_at,
  d.log, d.seq::text as cursor
from tollgate.webhook_deliveries d;

grant select on tollgate.webhook_delivery_view to tollgate_token_api, service_role;
