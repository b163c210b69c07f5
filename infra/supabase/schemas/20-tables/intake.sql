-- Redis as it was last seen. Its own mark rises every second; one that does not exceed the one kept here, or another
-- epoch, means that Redis was wiped, exchanged or put back to an earlier state.
create table tollgate.redis_marks (
  name text primary key,
  epoch uuid not null,
  mark bigint not null check (mark >= 0),
  since timestamptz not null default now(), -- when the epoch began
  seen_at timestamptz not null default now()
);
