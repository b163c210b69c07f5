-- Purpose:   what a hosted Supabase project has before the first migration: its roles, and the generous default privileges in
--            schema public. @supabase/lite creates roles only as it meets them, and migrations must prove themselves against the
--            real defaults (there, whoever forgets RLS or a REVOKE has opened the table or function to anon).
-- Invariant: may run again at any time without effect.
do $$
begin
  if not exists (select from pg_roles where rolname = 'anon') then create role anon nologin; end if;
  if not exists (select from pg_roles where rolname = 'authenticated') then create role authenticated nologin; end if;
  if not exists (select from pg_roles where rolname = 'service_role') then create role service_role nologin bypassrls; end if;
exception when duplicate_object or unique_violation then
  null; -- another database of this cluster was first
end
$$;

create schema if not exists auth;
create schema if not exists extensions;
grant usage on schema public, auth, extensions to anon, authenticated, service_role;
create extension if not exists pgcrypto with schema extensions;

alter default privileges in schema public grant all on tables to anon, authenticated, service_role;
alter default privileges in schema public grant all on functions to anon, authenticated, service_role;
alter default privileges in schema public grant all on sequences to anon, authenticated, service_role;
