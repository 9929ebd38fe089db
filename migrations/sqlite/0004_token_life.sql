-- What is remembered about a token stream, and when the fleet stops believing the provider: as in
-- migrations/postgres/0003_token_life.sql.

create table token_event (
    token_event_id  integer primary key,
    token_stream_id integer not null,
    character_id    integer not null,
    event           text    not null,
    detail          text,
    at              text    not null default (strftime('%Y-%m-%dT%H:%M:%f000Z', 'now'))
) strict;
create index token_event_of_stream on token_event (token_stream_id, token_event_id);
create index token_event_by_time on token_event (at);

alter table token_stream add refused_scopes text not null default '[]' check (json_type(refused_scopes) = 'array');
alter table token_stream add scope_refused_at text;
alter table token_stream add first_error_at text;
alter table token_stream add last_used_at text;
alter table token_stream add exercise_hinted_at text;
update token_stream set first_error_at = coalesce(first_refused_at, last_error_at) where last_error_code is not null;

create table sso_breaker (
    is_only_row          integer primary key default 1 check (is_only_row = 1),
    opened_at            text,
    closed_at            text,
    reason               text,
    canary_stream_id     integer,
    canary_at            text,
    canaries_refused     integer not null default 0,
    client_refusals      integer not null default 0,
    client_refused_until text
) strict;
insert into sso_breaker default values;

drop view token_health;
create view token_health as
select s.token_stream_id, s.character_id, c.character_name, s.state, s.expires_at,
       s.access_token_sealed is not null as has_access_token,
       s.refresh_token_sealed is not null as has_refresh_token,
       s.strikes, s.first_refused_at, s.next_probe_at, s.last_error_code, s.last_error, s.last_error_at,
       s.last_refreshed_at, s.granted_scopes, s.created_at,
       s.first_error_at, s.refused_scopes, s.scope_refused_at, s.last_used_at,
       e.event as last_event, e.detail as last_event_detail, e.at as last_event_at
from token_stream s join character c using (character_id)
left join token_event e on e.token_event_id =
    (select max(token_event_id) from token_event where token_event.token_stream_id = s.token_stream_id);
