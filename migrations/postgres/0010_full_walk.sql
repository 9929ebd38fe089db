-- When all pages of a list are to be walked again, however little the first one shows; none: with the next walk.
alter table character add full_walk_at timestamptz;
