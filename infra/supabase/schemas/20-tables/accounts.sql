-- What Tollgate keeps of an organization beside the project's own row.
create table tollgate.organization_settings (
  organization_id uuid primary key,
  time_zone text not null default 'UTC',
  markup_percent numeric(9, 4) check (markup_percent between -100 and 10000), -- on cost_usd; null: the plan's
  updated_at timestamptz not null default now()
);

-- Defaults of a plan: fields that an organization's own librechat_config lacks, and the monthly limit.
create table tollgate.plans (
  plan_type text primary key,
  librechat_config jsonb not null default '{}',
  markup_percent numeric(9, 4) check (markup_percent between -100 and 10000) -- null: none
);

insert into tollgate.plans (plan_type, librechat_config) values
  ('starter', '{"enabled_models": ["gpt-4o-mini"], "max_tokens": 1000000, "allowed_endpoints": ["openAI"],
    "features": {"file_upload": false, "image_generation": false, "voice_chat": false, "code_interpreter": false}}'),
  ('professional', '{"enabled_models": ["gpt-4o", "gpt-4o-mini", "claude-sonnet-4-5"], "max_tokens": 10000000,
    "allowed_endpoints": ["openAI", "anthropic"],
    "features": {"file_upload": true, "image_generation": true, "voice_chat": false, "code_interpreter": false}}'),
  ('enterprise', '{"enabled_models": ["gpt-4o", "gpt-4o-mini", "claude-sonnet-4-5", "gemini-2.5-pro"], "max_tokens": null,
    "allowed_endpoints": ["openAI", "anthropic", "google"],
    "features": {"file_upload": true, "image_generation": true, "voice_chat": true, "code_interpreter": true}}');

-- One row a sign-in (`sid` of the access token).
create table tollgate.login_sessions (
  id uuid primary key,
  organization_id uuid not null,
  user_id uuid not null,
  started_at timestamptz,
  expires_at timestamptz,
  ended_at timestamptz,
  end_reason text
);
create index login_sessions_organization_id_idx on tollgate.login_sessions (organization_id, user_id);
