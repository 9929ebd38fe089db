-- `refreshed` is kept for 7 days, everything else for 90: as in migrations/postgres/0005_token_event_retention.sql.

create index token_event_refreshed_by_time on token_event (at) where event = 'refreshed';
