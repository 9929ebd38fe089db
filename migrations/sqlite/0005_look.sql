-- The hourly look at streams that nobody uses: as in migrations/postgres/0004_look.sql.

alter table token_stream add looked_at text;
alter table token_stream add look_hinted_at text;

drop view token_health;
create view token_health as
select s.token_stream_id, s.character_id, c.character_name, s.state, s.expires_at,
       s.access_token_sealed is not null as has_access_token,
       s.refresh_token_sealed is not null as has_refresh_token,
       s.strikes, s.first_refused_at, s.next_probe_at, s.last_error_code, s.last_error, s.last_error_at,
       s.last_refreshed_at, s.granted_scopes, s.created_at,
       s.first_error_at, s.refused_scopes, s.scope_refused_at, s.last_used_at,
       e.event as last_event, e.detail as last_event_detail, e.at as last_event_at,
       s.looked_at
from token_stream s join character c using (character_id)
left join token_event e on e.token_event_id =
    (select max(token_event_id) from token_event where token_event.token_stream_id = s.token_stream_id);
