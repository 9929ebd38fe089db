-- The hourly look at streams that nobody uses: see docs/decisions/0012-looks.md.

-- When the provider last said that the access token stands.
alter table token_stream add looked_at timestamptz;
-- When a tick last asked for a look.
alter table token_stream add look_hinted_at timestamptz;

-- A login that lacks the scope says so, although its refreshes are granted.
create or replace view token_health as
select s.token_stream_id, s.character_id, c.character_name, s.state, s.expires_at,
       s.access_token_sealed is not null as has_access_token,
       s.refresh_token_sealed is not null as has_refresh_token,
       s.strikes, s.first_refused_at, s.next_probe_at,
       coalesce(s.last_error_code, lacks.code) as last_error_code, coalesce(s.last_error, lacks.error) as last_error,
       coalesce(s.last_error_at, lacks.at) as last_error_at,
       s.last_refreshed_at, s.granted_scopes, s.created_at,
       coalesce(s.first_error_at, lacks.at) as first_error_at, s.refused_scopes, s.scope_refused_at, s.last_used_at,
       e.event as last_event, e.detail as last_event_detail, e.at as last_event_at, s.looked_at
from token_stream s join character c using (character_id)
left join lateral (select 'scope_missing' as code, coalesce(s.last_refreshed_at, s.created_at) as at,
                          'the login was not given the scope esi-killmails.read_killmails.v1' as error
                   where s.state in ('active', 'suspect') and s.expires_at is not null
                     and 'esi-killmails.read_killmails.v1' <> all (s.granted_scopes)) lacks on true
left join lateral (select event, detail, at from token_event
                   where token_event.token_stream_id = s.token_stream_id
                   order by token_event_id desc limit 1) e on true;

-- A login that was granted without the scope for killmail lists serves nobody either.
create or replace view "user" as
select c.character_id,
       c.character_name,
       best.expires_at,
       c.created_at,
       coalesce(best.last_refreshed_at, best.created_at, c.created_at) as updated_at,
       not exists (select from token_stream s
                   where s.character_id = c.character_id
                     and s.refresh_token_sealed is not null
                     and s.state in ('active', 'suspect')
                     and (s.expires_at is null
                          or 'esi-killmails.read_killmails.v1' = any (s.granted_scopes))) as needs_login
from character c
left join lateral (select s.expires_at, s.last_refreshed_at, s.created_at
                   from token_stream s
                   where s.character_id = c.character_id
                   order by array_position(array['active', 'suspect', 'dead', 'quarantined'], s.state),
                            s.expires_at desc nulls last, s.token_stream_id desc
                   limit 1) best on true;
