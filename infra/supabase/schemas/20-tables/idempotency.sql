-- Answers to writes that were made with an Idempotency-Key, for a day, so that a repetition gets the same and does nothing.
-- The answer is encrypted by the API: it may hold a new key or token, which is kept nowhere in clear.
create table tollgate.idempotent_requests (
  caller text not null,
  key text not null,
  fingerprint text not null, -- of method, path and body: the same key with another request is a mistake
  begun_at timestamptz not null default now(),
  leased_until timestamptz,  -- null: answered
  attempt integer not null default 1, -- the try that holds the lease
  seed text not null,        -- encrypted too; the ids and secrets of what the request makes follow from it
  status integer,
  answer text,
  primary key (caller, key)
);
create index idempotent_requests_begun_at_idx on tollgate.idempotent_requests (begun_at);
