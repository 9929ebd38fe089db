//! How the game server is: whether there is anybody to ask.

use chrono::{DateTime, Utc};
use serde_json::Value;

use crate::http::answer::RawAnswer;

/// What `GET /status` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerStatus {
    pub players: u64,
    /// Only CCP's own people may log in, so that nothing happens that anybody could ask for.
    pub is_vip: bool,
    pub started_at: Option<DateTime<Utc>>,
}

/// The number of players is what makes it a status; the rest may be missing.
pub(super) fn read(raw: &RawAnswer) -> Result<ServerStatus, String> {
    let status: Value = serde_json::from_slice(raw.whole_body()?)
        .map_err(|error| format!("not a status of the game server: {error}"))?;
    let players = status["players"].as_u64().ok_or("the status has no number of players")?;
    // A word that nobody knows yet is rather a warning than nothing.
    let is_vip = !matches!(status["vip"], Value::Null | Value::Bool(false));
    let started_at = status["start_time"].as_str().and_then(|time| time.parse().ok());
    Ok(ServerStatus { players, is_vip, started_at })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use reqwest::header::HeaderMap;

    use super::*;

    fn status(body: &str) -> Result<ServerStatus, String> {
        read(&RawAnswer::of(HeaderMap::new(), body.as_bytes()))
    }

    proptest! {
        #[test]
        fn a_status_is_read_as_it_was_written(players in any::<u64>(), is_vip in any::<bool>(), at in 0..4_000_000_000_i64) {
            let started_at = DateTime::from_timestamp(at, 0).unwrap();
            let time = started_at.format("%Y-%m-%dT%H:%M:%SZ");
            let body = format!(r#"{{"players":{players},"server_version":"1","start_time":"{time}","vip":{is_vip}}}"#);
            prop_assert_eq!(status(&body), Ok(ServerStatus { players, is_vip, started_at: Some(started_at) }));
            prop_assert!(status(&body[..body.len() - 1]).is_err());
        }

        #[test]
        fn whatever_else_comes_does_not_open_the_gate(text in any::<String>()) {
            prop_assert!(status(&text).is_err());
        }
    }
}
