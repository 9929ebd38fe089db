-- What operators read: a contract, and never a token.

-- One row per character with its best stream, under the names that KillReport's health queries use.
create view "user" as
select c.character_id,
       c.character_name,
       best.expires_at,
       c.created_at,
       coalesce(best.last_refreshed_at, best.created_at, c.created_at) as updated_at,
       not exists (select from token_stream s
                   where s.character_id = c.character_id
                     and s.refresh_token_sealed is not null
                     and s.state in ('active', 'suspect')) as needs_login
from character c
left join lateral (select s.expires_at, s.last_refreshed_at, s.created_at
                   from token_stream s
                   where s.character_id = c.character_id
                   order by array_position(array['active', 'suspect', 'dead', 'quarantined'], s.state),
                            s.expires_at desc nulls last, s.token_stream_id desc
                   limit 1) best on true;

create view token_health as
select s.token_stream_id, s.character_id, c.character_name, s.state, s.expires_at,
       s.access_token_sealed is not null as has_access_token,
       s.refresh_token_sealed is not null as has_refresh_token,
       s.strikes, s.first_refused_at, s.next_probe_at, s.last_error_code, s.last_error, s.last_error_at,
       s.last_refreshed_at, s.granted_scopes, s.created_at
from token_stream s join character c using (character_id);

create view sync_freshness as
select c.character_id, c.character_name, c.last_synced_at, now() - c.last_synced_at as age, c.next_sync_at,
       greatest(now() - c.next_sync_at, interval '0') as overdue_by,
       c.resume_page is null as seen_to_the_end, c.attempt, c.last_verdict, c.last_reason, c.last_verdict_at,
       (select count(*) from character_killmail k where k.character_id = c.character_id) as killmails_listed
from character c;

create view killmail_backlog as
select state, count(*) as killmails, min(due_at) as oldest_due_at, min(first_seen_at) as oldest_first_seen_at,
       count(*) filter (where lease_until > now()) as in_progress
from killmail_ref
where state <> 'stored'
group by state;

create view fleet_health as
select (select count(*) from character) as characters,
       (select count(*) from "user" where needs_login) as characters_needing_login,
       (select count(*) from character where next_sync_at < now() - interval '1 hour') as characters_overdue_by_an_hour,
       (select count(*) from token_stream where state = 'active') as streams_active,
       (select count(*) from token_stream where state = 'suspect') as streams_suspect,
       (select count(*) from token_stream where state = 'dead') as streams_dead,
       (select count(*) from token_stream where state = 'quarantined') as streams_quarantined,
       (select count(*) from killmail) as killmails_stored,
       (select count(*) from killmail_ref where state = 'wanted') as killmails_wanted,
       (select count(*) from killmail_ref where state = 'invalid') as killmails_invalid,
       (select count(*) from killmail_ref where state = 'parked') as killmails_parked,
       (select count(*) from fleet_pause where until > now()) as pauses_in_force;

create view killmail_victim as
select k.killmail_id, k.killmail_time, k.solar_system_id,
       (v.victim ->> 'character_id')::bigint as character_id,
       (v.victim ->> 'corporation_id')::bigint as corporation_id,
       (v.victim ->> 'alliance_id')::bigint as alliance_id,
       (v.victim ->> 'faction_id')::bigint as faction_id,
       (v.victim ->> 'ship_type_id')::bigint as ship_type_id,
       (v.victim ->> 'damage_taken')::bigint as damage_taken,
       (v.victim #>> '{position,x}')::double precision as position_x,
       (v.victim #>> '{position,y}')::double precision as position_y,
       (v.victim #>> '{position,z}')::double precision as position_z
from killmail k cross join lateral (select k.body -> 'victim' as victim) v;

create view killmail_attacker as
select k.killmail_id, k.killmail_time, a.attacker_index,
       (a.attacker ->> 'character_id')::bigint as character_id,
       (a.attacker ->> 'corporation_id')::bigint as corporation_id,
       (a.attacker ->> 'alliance_id')::bigint as alliance_id,
       (a.attacker ->> 'faction_id')::bigint as faction_id,
       (a.attacker ->> 'ship_type_id')::bigint as ship_type_id,
       (a.attacker ->> 'weapon_type_id')::bigint as weapon_type_id,
       (a.attacker ->> 'damage_done')::bigint as damage_done,
       (a.attacker ->> 'final_blow')::boolean as final_blow,
       (a.attacker ->> 'security_status')::double precision as security_status
from killmail k
cross join lateral jsonb_array_elements(k.body -> 'attackers') with ordinality as a (attacker, attacker_index);

-- The victim's items in ESI's order. What lies in a container has its container's item_index beside it.
create view killmail_item as
select k.killmail_id, k.killmail_time, i.item_index, null::bigint as container_item_index,
       null::bigint as container_item_type_id, fields.*
from killmail k
cross join lateral jsonb_array_elements(k.body #> '{victim,items}') with ordinality as i (item, item_index)
cross join lateral jsonb_to_record(i.item) as fields (item_type_id bigint, flag bigint, singleton bigint,
                                                      quantity_destroyed bigint, quantity_dropped bigint)
union all
select k.killmail_id, k.killmail_time, n.item_index, i.item_index, (i.item ->> 'item_type_id')::bigint, fields.*
from killmail k
cross join lateral jsonb_array_elements(k.body #> '{victim,items}') with ordinality as i (item, item_index)
cross join lateral jsonb_array_elements(i.item -> 'items') with ordinality as n (item, item_index)
cross join lateral jsonb_to_record(n.item) as fields (item_type_id bigint, flag bigint, singleton bigint,
                                                      quantity_destroyed bigint, quantity_dropped bigint);
