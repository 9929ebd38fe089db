-- Killmail lists of corporations: see docs/decisions/0016-corporations.md.

-- In which corporation a character is; none: not known. Kept up to date only for characters with a login for corporation
-- lists, and asked for again when this time has come.
alter table character add corporation_id bigint;
alter table character add affiliation_due_at timestamptz;
-- When the list of its corporation was last read with its token; none: it has not been found to be a director of it.
alter table character add director_at timestamptz;
create index character_of_corporation on character (corporation_id) where corporation_id is not null;

-- A corporation whose list is read. The columns of the list job are those of `character`.
create table corporation (
    corporation_id    bigint primary key check (corporation_id > 0),
    created_at        timestamptz not null default now(),
    next_sync_at      timestamptz not null default now(),
    list_expires_at   timestamptz,
    list_etag         text,
    resume_page       integer              default 1 check (resume_page > 0),
    missing_pages     integer     not null default 0,
    full_walk_at      timestamptz,
    hinted_at         timestamptz,
    lease_until       timestamptz,
    lease_job_id      uuid,
    fence             bigint      not null default 0,
    attempt           integer     not null default 0,
    last_synced_at    timestamptz,
    last_verdict      text,
    last_reason       text,
    last_verdict_at   timestamptz
);
create index corporation_due on corporation (next_sync_at, corporation_id);

-- As character_killmail.
create table corporation_killmail (
    corporation_id bigint not null references corporation on delete cascade,
    killmail_id    bigint not null,
    primary key (corporation_id, killmail_id)
);

-- ETags of the pages behind the first, whose own is list_etag: all that the page showed then has been saved.
create table character_list_page (
    character_id bigint  not null references character on delete cascade,
    page         integer not null check (page > 1),
    etag         text    not null,
    primary key (character_id, page)
);
create table corporation_list_page (
    corporation_id bigint  not null references corporation on delete cascade,
    page           integer not null check (page > 1),
    etag           text    not null,
    primary key (corporation_id, page)
);

-- A walk is of one list, whoever's it is.
alter table sync_run alter character_id drop not null;
alter table sync_run add corporation_id bigint references corporation on delete cascade;
alter table sync_run add check (num_nonnulls(character_id, corporation_id) = 1);
create index sync_run_of_corporation on sync_run (corporation_id, finished_at);

create view corporation_freshness as
select c.corporation_id, c.last_synced_at, now() - c.last_synced_at as age, c.next_sync_at,
       greatest(now() - c.next_sync_at, interval '0') as overdue_by,
       c.resume_page is null as seen_to_the_end, c.attempt, c.last_verdict, c.last_reason, c.last_verdict_at,
       (select count(*) from corporation_killmail k where k.corporation_id = c.corporation_id) as killmails_listed,
       (select count(*) from character d where d.corporation_id = c.corporation_id and d.director_at is not null)
           as directors
from corporation c;

create or replace view fleet_health as
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
       (select count(*) from fleet_pause where until > now()) as pauses_in_force,
       (select count(*) from corporation) as corporations,
       (select count(*) from corporation
        where coalesce(last_synced_at, created_at) < now() - interval '4 days') as corporations_not_read_for_days;
