-- Killmail lists of corporations: as in migrations/postgres/0011_corporation.sql.

alter table character add corporation_id integer;
alter table character add affiliation_due_at text;
alter table character add director_at text;
create index character_of_corporation on character (corporation_id) where corporation_id is not null;

create table corporation (
    corporation_id    integer primary key check (corporation_id > 0),
    created_at        text    not null default (strftime('%Y-%m-%dT%H:%M:%f000Z', 'now')),
    next_sync_at      text    not null default (strftime('%Y-%m-%dT%H:%M:%f000Z', 'now')),
    list_expires_at   text,
    list_etag         text,
    resume_page       integer default 1 check (resume_page > 0),
    missing_pages     integer not null default 0,
    full_walk_at      text,
    hinted_at         text,
    lease_until       text,
    lease_job_id      blob,
    fence             integer not null default 0,
    attempt           integer not null default 0,
    last_synced_at    text,
    last_verdict      text,
    last_reason       text,
    last_verdict_at   text
) strict;
create index corporation_due on corporation (next_sync_at, corporation_id);

create table corporation_killmail (
    corporation_id integer not null references corporation on delete cascade,
    killmail_id    integer not null,
    primary key (corporation_id, killmail_id)
) strict, without rowid;

create table character_list_page (
    character_id integer not null references character on delete cascade,
    page         integer not null check (page > 1),
    etag         text    not null,
    primary key (character_id, page)
) strict, without rowid;
create table corporation_list_page (
    corporation_id integer not null references corporation on delete cascade,
    page           integer not null check (page > 1),
    etag           text    not null,
    primary key (corporation_id, page)
) strict, without rowid;

-- SQLite cannot take a `not null` back: the table is made anew.
create table sync_run_of_any_list (
    sync_run_id      integer primary key,
    character_id     integer references character on delete cascade,
    started_at       text    not null,
    finished_at      text    not null default (strftime('%Y-%m-%dT%H:%M:%f000Z', 'now')),
    verdict          text    not null,
    reason           text,
    pages            integer not null,
    references_new   integer not null,
    corporation_id   integer references corporation on delete cascade,
    check ((character_id is null) <> (corporation_id is null))
) strict;
insert into sync_run_of_any_list
select sync_run_id, character_id, started_at, finished_at, verdict, reason, pages, references_new, null from sync_run;
drop table sync_run;
alter table sync_run_of_any_list rename to sync_run;
create index sync_run_of_character on sync_run (character_id, finished_at);
create index sync_run_of_corporation on sync_run (corporation_id, finished_at);
create index sync_run_by_time on sync_run (finished_at);

create view corporation_freshness as
select c.corporation_id, c.last_synced_at,
       round((julianday('now') - julianday(c.last_synced_at)) * 86400, 3) as age, c.next_sync_at,
       max(round((julianday('now') - julianday(c.next_sync_at)) * 86400, 3), 0.0) as overdue_by,
       c.resume_page is null as seen_to_the_end, c.attempt, c.last_verdict, c.last_reason, c.last_verdict_at,
       (select count(*) from corporation_killmail k where k.corporation_id = c.corporation_id) as killmails_listed,
       (select count(*) from character d where d.corporation_id = c.corporation_id and d.director_at is not null)
           as directors
from corporation c;

drop view fleet_health;
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
           as pauses_in_force,
       (select count(*) from corporation) as corporations,
       (select count(*) from corporation
        where coalesce(last_synced_at, created_at) < strftime('%Y-%m-%dT%H:%M:%f000Z', 'now', '-4 days'))
           as corporations_not_read_for_days;
