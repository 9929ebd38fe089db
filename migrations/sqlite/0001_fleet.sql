-- The tables of the fleet for one process: the same nouns, names and rules as in migrations/postgres, where they are
-- explained. What SQLite lacks is held so: a time is a text in UTC of one width ('2026-11-20T12:00:00.000000Z'), so that
-- times compare as their texts do; yes and no are 1 and 0; a list of scopes, and a body, is JSON as text.

create table character (
    character_id      integer primary key,
    character_name    text    not null,
    created_at        text    not null default (strftime('%Y-%m-%dT%H:%M:%f000Z', 'now')),
    next_sync_at      text    not null default (strftime('%Y-%m-%dT%H:%M:%f000Z', 'now')),
    list_expires_at   text,
    list_etag         text,
    resume_page       integer default 1 check (resume_page > 0),
    missing_pages     integer not null default 0,
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
create index character_due on character (next_sync_at, character_id);

create table token_stream (
    -- Never given twice: the seal of a token is bound to it.
    token_stream_id       integer primary key autoincrement,
    character_id          integer not null references character on delete cascade,
    state                 text    not null default 'active'
                          check (state in ('active', 'suspect', 'dead', 'quarantined')),
    access_token_sealed   blob,
    refresh_token_sealed  blob,
    refresh_token_version integer not null default 0,
    expires_at            text,
    owner_hash            text,
    granted_scopes        text    not null default '[]' check (json_type(granted_scopes) = 'array'),
    strikes               integer not null default 0,
    first_refused_at      text,
    next_probe_at         text,
    last_error_code       text,
    last_error            text,
    last_error_at         text,
    last_refreshed_at     text,
    lease_until           text,
    fence                 integer not null default 0,
    created_at            text    not null default (strftime('%Y-%m-%dT%H:%M:%f000Z', 'now'))
) strict;
create index token_stream_of_character on token_stream (character_id);

create table sso_slot (
    slot        integer primary key,
    lease_until text not null default ''
) strict;
insert into sso_slot (slot)
with recursive slots (slot) as (select 1 union all select slot + 1 from slots where slot < 20) select slot from slots;

create table killmail_ref (
    killmail_id   integer primary key,
    killmail_hash text    not null,
    state         text    not null default 'wanted' check (state in ('wanted', 'stored', 'invalid', 'parked')),
    due_at        text    not null default (strftime('%Y-%m-%dT%H:%M:%f000Z', 'now')),
    hinted_at     text,
    lease_until   text,
    lease_job_id  blob,
    fence         integer not null default 0,
    attempt       integer not null default 0,
    refusals      integer not null default 0,
    last_reason   text,
    first_seen_at text    not null default (strftime('%Y-%m-%dT%H:%M:%f000Z', 'now'))
) strict;
create index killmail_ref_due on killmail_ref ((hinted_at is not null), due_at, killmail_id) where state = 'wanted';
create index killmail_ref_state on killmail_ref (state) where state <> 'stored';

create table character_killmail (
    character_id integer not null references character on delete cascade,
    killmail_id  integer not null,
    primary key (character_id, killmail_id)
) strict, without rowid;

create table killmail (
    killmail_id     integer primary key,
    killmail_hash   text    not null,
    killmail_time   text    not null,
    solar_system_id integer not null,
    -- The very text that ESI sent.
    body            text    not null check (json_valid(body)),
    stored_at       text    not null default (strftime('%Y-%m-%dT%H:%M:%f000Z', 'now'))
) strict;
create index killmail_by_time on killmail (killmail_time);

create table killmail_participant (
    killmail_id       integer not null references killmail on delete cascade,
    participant_index integer not null,
    role              text    not null check (role in ('victim', 'attacker')),
    character_id      integer,
    corporation_id    integer,
    alliance_id       integer,
    faction_id        integer,
    ship_type_id      integer,
    primary key (killmail_id, participant_index)
) strict, without rowid;
create index killmail_participant_character on killmail_participant (character_id, killmail_id) where character_id is not null;
create index killmail_participant_corporation on killmail_participant (corporation_id, killmail_id) where corporation_id is not null;
create index killmail_participant_alliance on killmail_participant (alliance_id, killmail_id) where alliance_id is not null;

create table sync_run (
    sync_run_id      integer primary key,
    character_id     integer not null references character on delete cascade,
    started_at       text    not null,
    finished_at      text    not null default (strftime('%Y-%m-%dT%H:%M:%f000Z', 'now')),
    verdict          text    not null,
    reason           text,
    pages            integer not null,
    references_new   integer not null
) strict;
create index sync_run_of_character on sync_run (character_id, finished_at);
create index sync_run_by_time on sync_run (finished_at);

create table fleet_pause (
    scope      text primary key,
    reason     text not null,
    until      text not null,
    created_at text not null default (strftime('%Y-%m-%dT%H:%M:%f000Z', 'now'))
) strict, without rowid;
