-- A fleet of 10,000 characters writes 720,000 `refreshed` a day, and as many `rotated` at some providers: they are kept for
-- 7 days, everything else for 90. This finds those that are older without a look at the others.
create index token_event_frequent_by_time on token_event (at) where event in ('refreshed', 'rotated');
