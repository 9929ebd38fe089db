-- The tables of the fleet. A row of `character`, `killmail_ref` or `token_stream` is a job: it knows when it is next
-- due, whether a hint for it is out in the broker (hinted_at), who works on it (lease_until, fence) and what became
-- of the last attempt. All times of this kind are on the database's clock. Ids are CCP's, 64 bits wide.

create table character (
    character_id      bigint primary key,
    character_name    text        not null,
    created_at        timestamptz not null default now(),
    -- The list job.
    next_sync_at      timestamptz not null default now(),
    -- The latest Expires of this character's list pages: ESI is not asked for page 1 before it.
    list_expires_at   timestamptz,
    -- ETag of page 1, kept only while the list has been seen to its end.
    list_etag         text,
    -- The page at which an unfinished walk goes on; null once the list has been seen to its end.
    resume_page       integer              default 1 check (resume_page > 0),
    -- How often, in this walk, a page that was promised has turned out not to exist.
    missing_pages     integer     not null default 0,
    hinted_at         timestamptz,
    lease_until       timestamptz,
    -- The message that the lease was taken for: only its redelivery proves that the holder is gone.
    lease_job_id      uuid,
    fence             bigint      not null default 0,
    attempt           integer     not null default 0,
    last_synced_at    timestamptz,
    last_verdict      text,
    last_reason       text,
    last_verdict_at   timestamptz
);
create index character_due on character (next_sync_at, character_id);

-- One login of one character. A new login adds a row and never touches another.
create table token_stream (
    token_stream_id       bigint generated always as identity primary key,
    character_id          bigint      not null references character on delete cascade,
    state                 text        not null default 'active'
                          check (state in ('active', 'suspect', 'dead', 'quarantined')),
    -- XChaCha20-Poly1305, bound to this row and column; see crates/store/src/seal.rs.
    access_token_sealed   bytea,
    refresh_token_sealed  bytea,
    -- Goes up with every new refresh token: what a refresh compares before it swaps.
    refresh_token_version bigint      not null default 0,
    expires_at            timestamptz,
    owner_hash            text,
    granted_scopes        text[]      not null default '{}',
    strikes               integer     not null default 0,
    first_refused_at      timestamptz,
    next_probe_at         timestamptz,
    last_error_code       text,
    last_error            text,
    last_error_at         timestamptz,
    last_refreshed_at     timestamptz,
    -- Left in the past by a process that died between the provider's answer and our row.
    lease_until           timestamptz,
    fence                 bigint      not null default 0,
    created_at            timestamptz not null default now()
);
create index token_stream_of_character on token_stream (character_id);

-- Token calls in flight in the whole fleet: a slot is held for as long as its lease. 20 is the most that
-- KILLFLEET_SSO_CONCURRENCY accepts.
create table sso_slot (
    slot        integer primary key,
    lease_until timestamptz not null default '-infinity'
);
insert into sso_slot (slot) select generate_series(1, 20);

-- A killmail that some list has shown: wanted until its body is stored.
create table killmail_ref (
    killmail_id   bigint primary key,
    killmail_hash text        not null,
    state         text        not null default 'wanted' check (state in ('wanted', 'stored', 'invalid', 'parked')),
    due_at        timestamptz not null default now(),
    hinted_at     timestamptz,
    lease_until   timestamptz,
    lease_job_id  uuid,
    fence         bigint      not null default 0,
    attempt       integer     not null default 0,
    -- Answers that spoke against this killmail itself: enough of them park it. An outage is not counted here.
    refusals      integer     not null default 0,
    last_reason   text,
    first_seen_at timestamptz not null default now()
);
-- Those that have never been hinted come first, so that a long backlog is not hinted again at its front.
create index killmail_ref_due on killmail_ref ((hinted_at is not null), due_at, killmail_id) where state = 'wanted';
create index killmail_ref_state on killmail_ref (state) where state <> 'stored';

-- Whose list has shown which killmail. What is new on a page is judged by this, character by character: that another
-- character's list has brought the same killmails says nothing about the pages behind.
create table character_killmail (
    character_id bigint not null references character on delete cascade,
    killmail_id  bigint not null,
    primary key (character_id, killmail_id)
);

create table killmail (
    killmail_id     bigint primary key,
    killmail_hash   text        not null,
    killmail_time   timestamptz not null,
    solar_system_id bigint      not null,
    -- What ESI sent, with every field that it had.
    body            jsonb       not null,
    stored_at       timestamptz not null default now()
);
create index killmail_by_time on killmail (killmail_time);

-- Who was in it: the victim at index 0, then the attackers in ESI's order. Every attacker has a row of its own.
create table killmail_participant (
    killmail_id       bigint   not null references killmail on delete cascade,
    participant_index integer  not null,
    role              text     not null check (role in ('victim', 'attacker')),
    character_id      bigint,
    corporation_id    bigint,
    alliance_id       bigint,
    faction_id        bigint,
    ship_type_id      bigint,
    primary key (killmail_id, participant_index)
);
create index killmail_participant_character on killmail_participant (character_id, killmail_id) where character_id is not null;
create index killmail_participant_corporation on killmail_participant (corporation_id, killmail_id) where corporation_id is not null;
create index killmail_participant_alliance on killmail_participant (alliance_id, killmail_id) where alliance_id is not null;

-- One row for every attempt at a list that came to an end; kept for 30 days.
create table sync_run (
    sync_run_id      bigint generated always as identity primary key,
    character_id     bigint      not null references character on delete cascade,
    started_at       timestamptz not null,
    finished_at      timestamptz not null default now(),
    verdict          text        not null,
    reason           text,
    pages            integer     not null,
    references_new   integer     not null
);
create index sync_run_of_character on sync_run (character_id, finished_at);
create index sync_run_by_time on sync_run (finished_at);

-- One row for every pause in force. A scope is `esi` (everything), `sso` (all token calls), `esi:killmail` (the bucket of
-- bodies, which the fleet shares) or `esi:char-killmail:<character id>` (the bucket of one character's list).
create table fleet_pause (
    scope      text primary key,
    reason     text        not null,
    until      timestamptz not null,
    created_at timestamptz not null default now()
);
