-- organizations and profiles.
-- Many Supabase projects have these two tables already: then they are left as they are, rows, columns and policies.
-- Everything else of Tollgate reads them through the views tollgate.directory_organizations and
-- tollgate.directory_members (schemas/30-views); a project with other column names adapts those two views alone.
create table if not exists public.organizations (
  id uuid primary key default gen_random_uuid(),
  name text not null,
  domain text not null unique,
  plan_type text not null default 'starter',
  librechat_config jsonb not null default '{}',
  created_at timestamptz not null default now()
);

create table if not exists public.profiles (
  id uuid primary key references auth.users (id) on delete cascade,
  organization_id uuid references public.organizations (id),
  role text not null default 'user' check (role in ('user', 'admin', 'super_admin')),
  email text not null,
  full_name text,
  username text,
  avatar_url text,
  created_at timestamptz not null default now()
);

create index if not exists profiles_organization_id_idx on public.profiles (organization_id);

-- Policies only where nobody has made any: a project that owns these tables keeps its own rules.
do $$
begin
  if not exists (select from pg_policies where schemaname = 'public' and tablename in ('organizations', 'profiles')) then
    alter table public.organizations enable row level security;
    alter table public.profiles enable row level security;
    revoke all on public.organizations, public.profiles from anon, authenticated;
    grant select on public.organizations, public.profiles to authenticated;
    -- Names only: role and organization_id decide over access and are the service's to change.
    grant update (full_name, username, avatar_url) on public.profiles to authenticated;

    create policy profiles_read_own on public.profiles for select to authenticated
      using (id = (select auth.uid()));
    create policy profiles_update_own_names on public.profiles for update to authenticated
      using (id = (select auth.uid())) with check (id = (select auth.uid()));
    create policy organizations_read_own on public.organizations for select to authenticated
      using (id in (select p.organization_id from public.profiles p where p.id = (select auth.uid())));

    grant all on public.organizations, public.profiles to service_role;
    create policy organizations_service on public.organizations for all to service_role using (true) with check (true);
    create policy profiles_service on public.profiles for all to service_role using (true) with check (true);
  end if;
end
$$;
