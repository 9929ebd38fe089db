-- When all pages of a list are to be walked again: as in migrations/postgres/0010_full_walk.sql.
alter table character add full_walk_at text;
