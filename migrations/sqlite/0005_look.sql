-- The hourly look at streams that nobody uses: as in migrations/postgres/0004_look.sql.

alter table token_stream add looked_at text;
alter table token_stream add look_hinted_at text;

-- A login that lacks the scope says so, although its refreshes are granted.
drop view token_health;
create view token_health as
select s.token_stream_id, s.character_id, c.character_name, s.state, s.expires_at,
       s.access_token_sealed is not null as has_access_token,
       s.refresh_token_sealed is not null as has_refresh_token,
       s.strikes, s.first_refused_at, s.next_probe_at,
       coalesce(s.last_error_code, iif(s.lacks_scope, 'scope_missing', null)) as last_error_code,
       coalesce(s.last_error, iif(s.lacks_scope, 'the login was not given the scope esi-killmails.read_killmails.v1', null))
           as last_error,
       coalesce(s.last_error_at, iif(s.lacks_scope, coalesce(s.last_refreshed_at, s.created_at), null)) as last_error_at,
       s.last_refreshed_at, s.granted_scopes, s.created_at,
       coalesce(s.first_error_at, iif(s.lacks_scope, coalesce(s.last_refreshed_at, s.created_at), null)) as first_error_at,
       s.refused_scopes, s.scope_refused_at, s.last_used_at,
       e.event as last_event, e.detail as last_event_detail, e.at as last_event_at, s.looked_at
from (select *, state in ('active', 'suspect') and expires_at is not null
                and 'esi-killmails.read_killmails.v1' not in (select value from json_each(granted_scopes)) as lacks_scope
      from token_stream) s
join character c using (character_id)
left join token_event e on e.token_event_id =
    (select max(token_event_id) from token_event where token_event.token_stream_id = s.token_stream_id);

drop view "user";
create view "user" as
select c.character_id,
       c.character_name,
       best.expires_at,
       c.created_at,
       coalesce(best.last_refreshed_at, best.created_at, c.created_at) as updated_at,
       not exists (select 1 from token_stream s
                   where s.character_id = c.character_id
                     and s.refresh_token_sealed is not null
                     and s.state in ('active', 'suspect')
                     and (s.expires_at is null
                          or 'esi-killmails.read_killmails.v1' in (select value from json_each(s.granted_scopes))))
           as needs_login
from character c
left join token_stream best on best.token_stream_id =
    (select s.token_stream_id
     from token_stream s
     where s.character_id = c.character_id
     order by case s.state when 'active' then 1 when 'suspect' then 2 when 'dead' then 3 else 4 end,
              s.expires_at desc nulls last, s.token_stream_id desc
     limit 1);
