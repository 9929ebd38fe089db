-- What operators read: the same views with the same columns as in migrations/postgres. A span is a number of seconds.

create view "user" as
select c.character_id,
       c.character_name,
       best.expires_at,
       c.created_at,
       coalesce(best.last_refreshed_at, best.created_at, c.created_at) as updated_at,
       not exists (select 1 from token_stream s
                   where s.character_id = c.character_id
                     and s.refresh_token_sealed is not null
                     and s.state in ('active', 'suspect')) as needs_login
from character c
left join token_stream best on best.token_stream_id =
    (select s.token_stream_id
     from token_stream s
     where s.character_id = c.character_id
     order by case s.state when 'active' then 1 when 'suspect' then 2 when 'dead' then 3 else 4 end,
              s.expires_at desc nulls last, s.token_stream_id desc
     limit 1);

create view token_health as
select s.token_stream_id, s.character_id, c.character_name, s.state, s.expires_at,
       s.access_token_sealed is not null as has_access_token,
       s.refresh_token_sealed is not null as has_refresh_token,
       s.strikes, s.first_refused_at, s.next_probe_at, s.last_error_code, s.last_error, s.last_error_at,
       s.last_refreshed_at, s.granted_scopes, s.created_at
from token_stream s join character c using (character_id);

create view sync_freshness as
select c.character_id, c.character_name, c.last_synced_at,
       round((julianday('now') - julianday(c.last_synced_at)) * 86400, 3) as age, c.next_sync_at,
       max(round((julianday('now') - julianday(c.next_sync_at)) * 86400, 3), 0.0) as overdue_by,
       c.resume_page is null as seen_to_the_end, c.attempt, c.last_verdict, c.last_reason, c.last_verdict_at,
       (select count(*) from character_killmail k where k.character_id = c.character_id) as killmails_listed
from character c;

create view killmail_backlog as
select state, count(*) as killmails, min(due_at) as oldest_due_at, min(first_seen_at) as oldest_first_seen_at,
       count(*) filter (where lease_until > strftime('%Y-%m-%dT%H:%M:%f000Z', 'now')) as in_progress
from killmail_ref
where state <> 'stored'
group by state;

create view fleet_health as
select (select count(*) from character) as characters,
       (select count(*) from "user" where needs_login) as characters_needing_login,
       (select count(*) from character c join "user" u using (character_id)
        where not u.needs_login
          and c.next_sync_at < strftime('%Y-%m-%dT%H:%M:%f000Z', 'now', '-1 hour')) as characters_overdue_by_an_hour,
       (select count(*) from token_stream where state = 'active') as streams_active,
       (select count(*) from token_stream where state = 'suspect') as streams_suspect,
       (select count(*) from token_stream where state = 'dead') as streams_dead,
       (select count(*) from token_stream where state = 'quarantined') as streams_quarantined,
       (select count(*) from killmail) as killmails_stored,
       (select count(*) from killmail_ref where state = 'wanted') as killmails_wanted,
       (select count(*) from killmail_ref where state = 'invalid') as killmails_invalid,
       (select count(*) from killmail_ref where state = 'parked') as killmails_parked,
       (select count(*) from fleet_pause where until > strftime('%Y-%m-%dT%H:%M:%f000Z', 'now'))
           as pauses_in_force;

-- What ESI sends is stored whatever it is, and one odd body must not make a view fail for all: a member of another type
-- reads as null. SQLite has no functions of ours: `integers` is a copy of an object in which every member is what
-- json_bigint of migrations/postgres makes of it. `json_each` of an array with this copy alone makes it once for a row.
-- - A number with a fraction or an exponent is a double here: it is rounded, and null from 2^53 on, where doubles skip
--   numbers.
-- - A double that is zero although its text has other digits than 0 was too small to be one: null.
-- - Only in a list are the keys numbers. What stands in it and is no object is taken for an empty one: as an argument a
--   text would be parsed.
-- - Of a member that stands twice the first counts; in PostgreSQL it is the last.
create view killmail_victim as
select k.killmail_id, k.killmail_time, k.solar_system_id,
       integers.value ->> 'character_id' as character_id,
       integers.value ->> 'corporation_id' as corporation_id,
       integers.value ->> 'alliance_id' as alliance_id,
       integers.value ->> 'faction_id' as faction_id,
       integers.value ->> 'ship_type_id' as ship_type_id,
       integers.value ->> 'damage_taken' as damage_taken,
       case when json_type(k.body, '$.victim.position.x') not in ('integer', 'real') then null
            when abs(k.body ->> '$.victim.position.x' + 0.0) between 1e-300 and 1e300
                then k.body ->> '$.victim.position.x' + 0.0
            when k.body -> '$.victim.position.x' not glob '*[1-9]*' then 0.0 end as position_x,
       case when json_type(k.body, '$.victim.position.y') not in ('integer', 'real') then null
            when abs(k.body ->> '$.victim.position.y' + 0.0) between 1e-300 and 1e300
                then k.body ->> '$.victim.position.y' + 0.0
            when k.body -> '$.victim.position.y' not glob '*[1-9]*' then 0.0 end as position_y,
       case when json_type(k.body, '$.victim.position.z') not in ('integer', 'real') then null
            when abs(k.body ->> '$.victim.position.z' + 0.0) between 1e-300 and 1e300
                then k.body ->> '$.victim.position.z' + 0.0
            when k.body -> '$.victim.position.z' not glob '*[1-9]*' then 0.0 end as position_z
from killmail k
join json_each((
    select json_array(json_group_object(m.key, case m.type
        when 'integer' then iif(m.atom between -8999999999999999999 and 8999999999999999999, m.atom, null)
        when 'real' then iif(abs(m.atom) < 9007199254740992, cast(round(m.atom) as integer), null) end))
    from json_each(k.body, '$.victim') m where typeof(m.key) = 'text')) integers;

create view killmail_attacker as
select a.killmail_id, a.killmail_time, a.attacker_index,
       integers.value ->> 'character_id' as character_id,
       integers.value ->> 'corporation_id' as corporation_id,
       integers.value ->> 'alliance_id' as alliance_id,
       integers.value ->> 'faction_id' as faction_id,
       integers.value ->> 'ship_type_id' as ship_type_id,
       integers.value ->> 'weapon_type_id' as weapon_type_id,
       integers.value ->> 'damage_done' as damage_done,
       case json_type(a.attacker, '$.final_blow') when 'true' then 1 when 'false' then 0 end as final_blow,
       case when json_type(a.attacker, '$.security_status') not in ('integer', 'real') then null
            when abs(a.attacker ->> '$.security_status' + 0.0) between 1e-300 and 1e300
                then a.attacker ->> '$.security_status' + 0.0
            when a.attacker -> '$.security_status' not glob '*[1-9]*' then 0.0 end as security_status
from (select k.killmail_id, k.killmail_time, a.key + 1 as attacker_index,
             iif(a.type = 'object', a.value, '{}') as attacker
      from killmail k join json_each(k.body, '$.attackers') a
      where typeof(a.key) = 'integer') a
join json_each((
    select json_array(json_group_object(m.key, case m.type
        when 'integer' then iif(m.atom between -8999999999999999999 and 8999999999999999999, m.atom, null)
        when 'real' then iif(abs(m.atom) < 9007199254740992, cast(round(m.atom) as integer), null) end))
    from json_each(a.attacker) m)) integers;

-- The victim's items in ESI's order. What lies in a container has its container's item_index beside it.
create view killmail_item as
select k.killmail_id, k.killmail_time, i.key + 1 as item_index, null as container_item_index,
       null as container_item_type_id,
       integers.value ->> 'item_type_id' as item_type_id,
       integers.value ->> 'flag' as flag,
       integers.value ->> 'singleton' as singleton,
       integers.value ->> 'quantity_destroyed' as quantity_destroyed,
       integers.value ->> 'quantity_dropped' as quantity_dropped
from killmail k
join json_each(k.body, '$.victim.items') i
join json_each((
    select json_array(json_group_object(m.key, case m.type
        when 'integer' then iif(m.atom between -8999999999999999999 and 8999999999999999999, m.atom, null)
        when 'real' then iif(abs(m.atom) < 9007199254740992, cast(round(m.atom) as integer), null) end))
    from json_each(iif(i.type = 'object', i.value, '{}')) m)) integers
where typeof(i.key) = 'integer'
union all
select k.killmail_id, k.killmail_time, n.key + 1, i.key + 1, container.value ->> 'item_type_id',
       integers.value ->> 'item_type_id',
       integers.value ->> 'flag',
       integers.value ->> 'singleton',
       integers.value ->> 'quantity_destroyed',
       integers.value ->> 'quantity_dropped'
from killmail k
join json_each(k.body, '$.victim.items') i
join json_each(iif(i.type = 'object', i.value, '{}'), '$.items') n
join json_each((
    select json_array(json_group_object(m.key, case m.type
        when 'integer' then iif(m.atom between -8999999999999999999 and 8999999999999999999, m.atom, null)
        when 'real' then iif(abs(m.atom) < 9007199254740992, cast(round(m.atom) as integer), null) end))
    from json_each(iif(i.type = 'object', i.value, '{}')) m)) container
join json_each((
    select json_array(json_group_object(m.key, case m.type
        when 'integer' then iif(m.atom between -8999999999999999999 and 8999999999999999999, m.atom, null)
        when 'real' then iif(abs(m.atom) < 9007199254740992, cast(round(m.atom) as integer), null) end))
    from json_each(iif(n.type = 'object', n.value, '{}')) m)) integers
where typeof(i.key) = 'integer' and typeof(n.key) = 'integer';
