-- Whether ESI is open to the fleet: see docs/decisions/0015-outage.md. One row.
create table esi_gate (
    is_only_row      boolean primary key default true check (is_only_row),
    -- While it is closed nobody calls ESI but for its status.
    closed_at        timestamptz,
    -- It is more than a suspicion.
    is_certain       boolean not null default false,
    -- When the status is to be asked.
    probe_at         timestamptz,
    -- For so long the last good answer holds.
    good_until       timestamptz,
    -- Of the last daily downtime that was kept.
    downtime_ends_at timestamptz
);
insert into esi_gate default values;
