-- What Tollgate keeps of an organization beside the project's own row.
create table tollgate.organization_settings (
  organization_id uuid primary key,
  time_zone text not null default 'UTC', -- this and the anchor day: from the next period on (period_schedules)
  period_anchor_day integer not null default 1 check (period_anchor_day between 1 and 31), -- 31: the last day of shorter months
  enforcement_mode text check (enforcement_mode in ('enforce', 'observe')), -- null: as everywhere
  markup_percent numeric(9, 4) check (markup_percent between -100 and 10000), -- on cost_usd; null: the plan's
  updated_at timestamptz not null default now()
);

-- Which time zone and anchor day an organization's days and periods follow, and when. Kept by a trigger of
-- organization_settings; without a row UTC and calendar months.
create table tollgate.period_schedules (
  organization_id uuid not null,
  valid_from timestamptz not null default '-infinity', -- the start of a period
  valid_to timestamptz not null default 'infinity',
  time_zone text not null,
  anchor_day integer not null check (anchor_day between 1 and 31),
  first_end timestamptz not null default '-infinity',  -- end of the period that starts at valid_from, where a change made it odd
  primary key (organization_id, valid_from),
  check (valid_from < valid_to)
);

-- Defaults of a plan: fields that an organization's own librechat_config lacks, and the monthly limit.
create table tollgate.plans (
  plan_type text primary key,
  librechat_config jsonb not null default '{}',
  policy jsonb, -- ladder, cost limit, reduced_configs where an organization has no policy of its own; null: the default ladder
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
