-- Buckets of ESI's budget: as in migrations/postgres/0006_esi_bucket.sql.
create table esi_bucket (
    bucket         text primary key,
    limit_tokens   integer not null,
    window_seconds integer not null,
    free_at        text    not null,
    remaining      integer,
    seen_at        text
) strict;

create table esi_spent (
    bucket text    not null references esi_bucket on delete cascade,
    at     text    not null,
    tokens integer not null
) strict;
create index esi_spent_of_bucket on esi_spent (bucket, at);
