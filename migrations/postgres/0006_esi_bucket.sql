-- Buckets of ESI's budget that the whole fleet shares: see docs/decisions/0014-pace.md.
create table esi_bucket (
    bucket         text primary key,
    -- As ESI's answers say: so many tokens in so many seconds.
    limit_tokens   integer     not null,
    window_seconds integer     not null,
    -- When the turn after the last that was taken comes.
    free_at        timestamptz not null default '-infinity',
    -- What the last answer that was remembered said is left, and when.
    remaining      integer,
    seen_at        timestamptz
);

-- What was taken from them within the last window.
create table esi_spent (
    bucket text        not null references esi_bucket on delete cascade,
    at     timestamptz not null,
    tokens integer     not null
);
create index esi_spent_of_bucket on esi_spent (bucket, at);
