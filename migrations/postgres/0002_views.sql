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
       (select count(*) from character c join "user" u using (character_id)
        where not u.needs_login and c.next_sync_at < now() - interval '1 hour') as characters_overdue_by_an_hour,
       (select count(*) from token_stream where state = 'active') as streams_active,
       (select count(*) from token_stream where state = 'suspect') as streams_suspect,
       (select count(*) from token_stream where state = 'dead') as streams_dead,
       (select count(*) from token_stream where state = 'quarantined') as streams_quarantined,
       (select count(*) from killmail) as killmails_stored,
       (select count(*) from killmail_ref where state = 'wanted') as killmails_wanted,
       (select count(*) from killmail_ref where state = 'invalid') as killmails_invalid,
       (select count(*) from killmail_ref where state = 'parked') as killmails_parked,
       (select count(*) from fleet_pause where until > now()) as pauses_in_force;

-- What ESI sends is stored whatever it is, and one odd body must not make a view fail for all: a member of another type
-- reads as null.
create function json_bigint(member jsonb) returns bigint language sql immutable parallel safe as $$
    select case when jsonb_typeof(member) = 'number' and abs((member #>> '{}')::numeric) < 9e18
                then (member #>> '{}')::numeric::bigint end
$$;
create function json_double(member jsonb) returns double precision language sql immutable parallel safe as $$
    select case when jsonb_typeof(member) <> 'number' then null
                when (member #>> '{}')::numeric = 0 then 0
                when abs((member #>> '{}')::numeric) between 1e-300 and 1e300 then (member #>> '{}')::double precision end
$$;
create function json_boolean(member jsonb) returns boolean language sql immutable parallel safe as $$
    select case when jsonb_typeof(member) = 'boolean' then member::boolean end
$$;
create function json_members(member jsonb) returns jsonb language sql immutable parallel safe as $$
    select case when jsonb_typeof(member) = 'array' then member else '[]' end
$$;

create view killmail_victim as
select k.killmail_id, k.killmail_time, k.solar_system_id,
       json_bigint(v.victim -> 'character_id') as character_id,
       json_bigint(v.victim -> 'corporation_id') as corporation_id,
       json_bigint(v.victim -> 'alliance_id') as alliance_id,
       json_bigint(v.victim -> 'faction_id') as faction_id,
       json_bigint(v.victim -> 'ship_type_id') as ship_type_id,
       json_bigint(v.victim -> 'damage_taken') as damage_taken,
       json_double(v.victim #> '{position,x}') as position_x,
       json_double(v.victim #> '{position,y}') as position_y,
       json_double(v.victim #> '{position,z}') as position_z
from killmail k cross join lateral (select k.body -> 'victim' as victim) v;

create view killmail_attacker as
select k.killmail_id, k.killmail_time, a.attacker_index,
       json_bigint(a.attacker -> 'character_id') as character_id,
       json_bigint(a.attacker -> 'corporation_id') as corporation_id,
       json_bigint(a.attacker -> 'alliance_id') as alliance_id,
       json_bigint(a.attacker -> 'faction_id') as faction_id,
       json_bigint(a.attacker -> 'ship_type_id') as ship_type_id,
       json_bigint(a.attacker -> 'weapon_type_id') as weapon_type_id,
       json_bigint(a.attacker -> 'damage_done') as damage_done,
       json_boolean(a.attacker -> 'final_blow') as final_blow,
       json_double(a.attacker -> 'security_status') as security_status
from killmail k
cross join lateral jsonb_array_elements(json_members(k.body -> 'attackers')) with ordinality as a (attacker, attacker_index);

-- The victim's items in ESI's order. What lies in a container has its container's item_index beside it.
create view killmail_item as
select k.killmail_id, k.killmail_time, i.item_index, null::bigint as container_item_index,
       null::bigint as container_item_type_id,
       json_bigint(i.item -> 'item_type_id') as item_type_id, json_bigint(i.item -> 'flag') as flag,
       json_bigint(i.item -> 'singleton') as singleton,
       json_bigint(i.item -> 'quantity_destroyed') as quantity_destroyed,
       json_bigint(i.item -> 'quantity_dropped') as quantity_dropped
from killmail k
cross join lateral jsonb_array_elements(json_members(k.body #> '{victim,items}')) with ordinality as i (item, item_index)
union all
select k.killmail_id, k.killmail_time, n.item_index, i.item_index, json_bigint(i.item -> 'item_type_id'),
       json_bigint(n.item -> 'item_type_id'), json_bigint(n.item -> 'flag'), json_bigint(n.item -> 'singleton'),
       json_bigint(n.item -> 'quantity_destroyed'), json_bigint(n.item -> 'quantity_dropped')
from killmail k
cross join lateral jsonb_array_elements(json_members(k.body #> '{victim,items}')) with ordinality as i (item, item_index)
cross join lateral jsonb_array_elements(json_members(i.item -> 'items')) with ordinality as n (item, item_index);
