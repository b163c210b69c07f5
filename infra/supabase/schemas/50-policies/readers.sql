-- What a BI tool may read: the rollups of all organizations, through the views or as they are, and whom they belong to.
-- Neither the ledger, nor users' names, nor what an organization has configured.
grant usage on schema tollgate, public to tollgate_reader;
grant select on public.usage_metrics, tollgate.usage_by_model, tollgate.usage_by_organization_model,
  public.usage_daily_by_model, public.usage_daily_by_user to tollgate_reader;
grant select (organization_id, name, domain, plan_type) on tollgate.directory_organizations to tollgate_reader;

create policy tollgate_reader_select on public.usage_metrics for select to tollgate_reader using (true);
create policy tollgate_reader_select on tollgate.usage_by_model for select to tollgate_reader using (true);
create policy tollgate_reader_select on tollgate.usage_by_organization_model for select to tollgate_reader using (true);
