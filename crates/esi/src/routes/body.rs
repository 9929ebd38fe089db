//! A killmail's body: kept exactly as ESI sent it, after a look at whether it is one.

use chrono::{DateTime, Utc};
use domain::KillmailId;
use serde_json::Value;

use crate::http::answer::RawAnswer;

/// A body that has the members which the specification requires, and the id that was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KillmailBody {
    pub killmail_id: KillmailId,
    pub killmail_time: DateTime<Utc>,
    pub solar_system_id: i64,
    /// Byte for byte what ESI sent, unknown members included.
    pub json: String,
}

/// The ids that tell who took part: optional, whole numbers where present.
const PARTICIPANT_IDS: [&str; 6] =
    ["character_id", "corporation_id", "alliance_id", "faction_id", "ship_type_id", "weapon_type_id"];

pub(super) fn read(raw: &RawAnswer, asked_for: KillmailId) -> Result<KillmailBody, String> {
    let json = std::str::from_utf8(raw.whole_body()?).map_err(|_| "the body is not UTF-8".to_owned())?;
    check(json, asked_for)
}

fn check(json: &str, asked_for: KillmailId) -> Result<KillmailBody, String> {
    let body: Value = serde_json::from_str(json).map_err(|error| format!("not a killmail: {error}"))?;
    let number = |name: &str| body[name].as_i64().ok_or_else(|| format!("the killmail has no number {name}"));
    let killmail_id = number("killmail_id")?;
    if killmail_id != asked_for.get() {
        return Err(format!("the killmail is number {killmail_id}, not the one that was asked for"));
    }
    let killmail_time = body["killmail_time"].as_str().and_then(|time| time.parse().ok());
    let killmail_time = killmail_time.ok_or("the killmail has no time")?;
    let solar_system_id = number("solar_system_id")?;
    if !is_participant(&body["victim"]) {
        return Err("the killmail has no readable victim".to_owned());
    }
    if !body["attackers"].as_array().is_some_and(|attackers| attackers.iter().all(is_participant)) {
        return Err("the killmail has no readable list of attackers".to_owned());
    }
    Ok(KillmailBody { killmail_id: asked_for, killmail_time, solar_system_id, json: json.to_owned() })
}

fn is_participant(value: &Value) -> bool {
    let is_id_or_absent = |name| value.get(name).is_none_or(|id: &Value| id.is_null() || id.is_i64());
    value.is_object() && PARTICIPANT_IDS.into_iter().all(is_id_or_absent)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"{ "killmail_id": 7, "killmail_time": "2016-10-22T17:13:36Z", "solar_system_id": 30002976,
        "victim": {"damage_taken": 1, "ship_type_id": 670, "character_id": null}, "attackers": [{"faction_id": 500010}],
        "from_the_future": {"kept": [1.50, "ä"]} }"#;

    fn read(json: &str) -> Result<KillmailBody, String> {
        check(json, KillmailId::parse(7).unwrap())
    }

    #[test]
    fn a_good_body_is_kept_as_it_came() {
        let body = read(GOOD).unwrap();
        assert_eq!(body.json, GOOD);
        assert_eq!(body.solar_system_id, 30_002_976);
        assert_eq!(body.killmail_time.timestamp(), 1_477_156_416);
    }

    #[test]
    fn what_is_not_a_killmail_is_refused() {
        let cases = [
            ("", "", "not a killmail"),
            (GOOD, "[]", "no number killmail_id"),
            ("7,", "8,", "not the one that was asked for"),
            ("7,", "\"7\",", "no number killmail_id"),
            ("2016-10-22T17:13:36Z", "yesterday", "no time"),
            ("30002976", "1.5", "no number solar_system_id"),
            ("\"victim\"", "\"victor\"", "no readable victim"),
            (r#"{"damage_taken": 1, "ship_type_id": 670, "character_id": null}"#, "[]", "no readable victim"),
            ("\"ship_type_id\": 670", "\"ship_type_id\": \"Rifter\"", "no readable victim"),
            ("\"attackers\"", "\"defenders\"", "no readable list of attackers"),
            (r#"[{"faction_id": 500010}]"#, "{}", "no readable list of attackers"),
            (r#"[{"faction_id": 500010}]"#, "[5]", "no readable list of attackers"),
            ("500010", "5e300", "no readable list of attackers"),
        ];
        for (part, replacement, expected) in cases {
            let json = if part.is_empty() { String::new() } else { GOOD.replacen(part, replacement, 1) };
            let why = read(&json).unwrap_err();
            assert!(why.contains(expected), "{why:?} for {json}");
        }
        assert!(read(&GOOD[..GOOD.len() - 1]).unwrap_err().contains("not a killmail"));
    }
}
