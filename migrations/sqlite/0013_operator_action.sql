-- What operators have done by hand: as in migrations/postgres/0012_operator_action.sql.
create table operator_action (
    operator_action_id integer primary key,
    at                 text not null default (strftime('%Y-%m-%dT%H:%M:%f000Z', 'now')),
    operator           text,
    action             text not null check (action in ('replay', 'drop')),
    subject            text not null,
    cause              text,
    note               text
) strict;
create index operator_action_of_subject on operator_action (subject, operator_action_id);
