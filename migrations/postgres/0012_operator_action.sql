-- What operators have done by hand, and why: only ever added to, and never pruned. See `killfleet parked`.
create table operator_action (
    operator_action_id bigint generated always as identity primary key,
    at                 timestamptz not null default now(),
    -- The name of the operating system's user; none: it did not tell.
    operator           text,
    action             text        not null check (action in ('replay', 'drop')),
    -- As `killfleet parked show` takes it: `killmail:123`, `character:123`, `corporation:123`, `message:…`.
    subject            text        not null,
    -- Why it had been parked.
    cause              text,
    -- What the operator has to say of it.
    note               text
);
create index operator_action_of_subject on operator_action (subject, operator_action_id);
