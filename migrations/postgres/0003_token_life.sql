-- What is remembered about a token stream, and when the fleet stops believing the provider.

-- What has happened to token streams; only ever added to, and kept for 90 days. A record outlives its stream, so
-- nothing refers to it. The words of `event` stand in crates/domain/src/token/event.rs; `detail` never holds a secret.
create table token_event (
    token_event_id  bigint generated always as identity primary key,
    token_stream_id bigint      not null,
    character_id    bigint      not null,
    event           text        not null,
    detail          text,
    at              timestamptz not null default now()
);
create index token_event_of_stream on token_event (token_stream_id, token_event_id);
create index token_event_by_time on token_event (at);

-- Scopes that ESI has refused although they were granted, and when it last did so. A refresh does not touch them.
alter table token_stream add refused_scopes text[] not null default '{}';
alter table token_stream add scope_refused_at timestamptz;
-- Since when the last error has been the same one.
alter table token_stream add first_error_at timestamptz;
-- When ESI last took an access token of this stream.
alter table token_stream add last_used_at timestamptz;
-- When a tick last asked for a refresh of this stream for its own sake.
alter table token_stream add exercise_hinted_at timestamptz;
update token_stream set first_error_at = coalesce(first_refused_at, last_error_at) where last_error_code is not null;

-- Whether the fleet believes what EVE SSO says: see docs/decisions/0010-breaker.md. One row.
create table sso_breaker (
    is_only_row          boolean primary key default true check (is_only_row),
    -- While it is open no login is marked, and only canaries are refreshed.
    opened_at            timestamptz,
    closed_at            timestamptz,
    -- What the pause says of why it was opened.
    reason               text,
    canary_stream_id     bigint,
    canary_at            timestamptz,
    -- Since it was opened.
    canaries_refused     integer     not null default 0,
    -- Pauses in a row because EVE SSO refuses our client, and the end of the last of them.
    client_refusals      integer     not null default 0,
    client_refused_until timestamptz
);
insert into sso_breaker default values;

create or replace view token_health as
select s.token_stream_id, s.character_id, c.character_name, s.state, s.expires_at,
       s.access_token_sealed is not null as has_access_token,
       s.refresh_token_sealed is not null as has_refresh_token,
       s.strikes, s.first_refused_at, s.next_probe_at, s.last_error_code, s.last_error, s.last_error_at,
       s.last_refreshed_at, s.granted_scopes, s.created_at,
       s.first_error_at, s.refused_scopes, s.scope_refused_at, s.last_used_at,
       e.event as last_event, e.detail as last_event_detail, e.at as last_event_at
from token_stream s join character c using (character_id)
left join lateral (select event, detail, at from token_event
                   where token_event.token_stream_id = s.token_stream_id
                   order by token_event_id desc limit 1) e on true;
