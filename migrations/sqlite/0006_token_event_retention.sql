-- `refreshed` and `rotated` are kept for 7 days, everything else for 90: as in
-- migrations/postgres/0005_token_event_retention.sql.

create index token_event_frequent_by_time on token_event (at) where event in ('refreshed', 'rotated');
