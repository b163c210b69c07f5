-- Purpose: keep the audit trail as it was written, whoever asks: service_role may otherwise do everything.
-- Trigger function of tollgate.audit_log. Raises 42501.
create function tollgate.refuse_audit_change() returns trigger
language plpgsql set search_path = ''
as $$
begin
  raise exception 'the audit trail is never edited' using errcode = 'insufficient_privilege';
end
$$;

create trigger audit_log_is_append_only before update or delete or truncate on tollgate.audit_log
  for each statement execute function tollgate.refuse_audit_change();
