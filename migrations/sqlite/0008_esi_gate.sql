-- Whether ESI is open to the fleet: as in migrations/postgres/0007_esi_gate.sql.
create table esi_gate (
    is_only_row      integer primary key default 1 check (is_only_row = 1),
    closed_at        text,
    is_certain       integer not null default 0,
    probe_at         text,
    good_until       text,
    downtime_ends_at text
) strict;
insert into esi_gate default values;
