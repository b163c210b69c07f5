-- What was in usage_metrics and chat_sessions when Tollgate came (15-adopt; nothing in a new project). Usage is noted, and
-- reconcile posts it as opening balances; a session stands among the closing figures with what it had, so that later usage
-- of it adds up.
insert into tollgate.preexisting_usage (organization_id, user_id, date, tokens_used, output_tokens, cost_usd, charge_usd,
  message_count, unpriced_events)
select m.organization_id, m.user_id, m.date, m.tokens_used, m.output_tokens, m.cost_usd, m.charge_usd, m.message_count,
  m.unpriced_events
from public.usage_metrics m
where m.tokens_used > 0 or m.cost_usd > 0 or m.message_count > 0
on conflict do nothing;

insert into tollgate.sealed_sessions (organization_id, user_id, librechat_session_id, message_count, input_tokens,
  output_tokens, total_tokens, cost_usd, charge_usd, unpriced_events)
select s.organization_id, s.user_id, s.librechat_session_id, s.message_count, s.input_tokens, s.output_tokens,
  s.total_tokens, s.cost_usd, s.charge_usd, s.unpriced_events
from public.chat_sessions s
on conflict do nothing;
