-- The three health queries of KillReport, as its operators run them. They read the view "user" and run unchanged.

-- 1. Users with expired tokens
SELECT
  character_name,
  expires_at,
  expires_at < NOW() as is_expired,
  EXTRACT(EPOCH FROM (expires_at - NOW())) / 60 as minutes_remaining
FROM "user"
ORDER BY expires_at ASC;

-- 2. Users needing refresh (< 5 min remaining)
SELECT
  character_name,
  expires_at,
  EXTRACT(EPOCH FROM (expires_at - NOW())) / 60 as minutes_remaining
FROM "user"
WHERE expires_at < NOW() + INTERVAL '5 minutes';

-- 3. Last token refresh times
SELECT
  character_name,
  updated_at as last_refresh,
  expires_at,
  NOW() - updated_at as time_since_refresh
FROM "user"
ORDER BY updated_at DESC;
