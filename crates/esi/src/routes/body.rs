//! A killmail's body: kept exactly as ESI sent it, after a look at whether it is one.

mod hash;

use chrono::{DateTime, Utc};
use domain::{KillmailHash, KillmailId};
use serde_json::Value;
use thiserror::Error;

use crate::http::answer::RawAnswer;

/// A body that has the members which the specification requires.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KillmailBody {
    pub killmail_id: KillmailId,
    pub killmail_time: DateTime<Utc>,
    pub solar_system_id: i64,
    /// Byte for byte what ESI sent, unknown members included.
    pub json: String,
    computed_hash: Option<KillmailHash>,
}

/// Why a text is no killmail.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("{0}")]
pub struct NotAKillmail(String);

/// The ids that tell who took part: optional, whole numbers where present.
const PARTICIPANT_IDS: [&str; 6] =
    ["character_id", "corporation_id", "alliance_id", "faction_id", "ship_type_id", "weapon_type_id"];

pub(super) fn read(raw: &RawAnswer, asked_for: KillmailId) -> Result<KillmailBody, String> {
    let json = std::str::from_utf8(raw.whole_body()?).map_err(|_| "the body is not UTF-8".to_owned())?;
    let body = KillmailBody::parse(json.to_owned()).map_err(|error| error.to_string())?;
    if body.killmail_id == asked_for {
        Ok(body)
    } else {
        Err(format!("the killmail is number {}, not the one that was asked for", body.killmail_id))
    }
}

impl KillmailBody {
    /// # Errors
    /// When the text is not JSON, or lacks what the specification requires.
    pub fn parse(json: String) -> Result<Self, NotAKillmail> {
        let body: Value =
            serde_json::from_str(&json).map_err(|error| NotAKillmail(format!("not a killmail: {error}")))?;
        let number =
            |name: &str| body[name].as_i64().ok_or_else(|| NotAKillmail(format!("the killmail has no number {name}")));
        let lacks = |what: &str| NotAKillmail(format!("the killmail has no {what}"));
        let killmail_id = KillmailId::parse(number("killmail_id")?).map_err(|error| NotAKillmail(error.to_string()))?;
        let killmail_time = body["killmail_time"].as_str().and_then(|time| time.parse().ok());
        let killmail_time = killmail_time.ok_or_else(|| lacks("time"))?;
        let solar_system_id = number("solar_system_id")?;
        if !is_participant(&body["victim"]) {
            return Err(lacks("readable victim"));
        }
        if !body["attackers"].as_array().is_some_and(|attackers| attackers.iter().all(is_participant)) {
            return Err(lacks("readable list of attackers"));
        }
        let computed_hash = hash::of(&body, killmail_time);
        Ok(Self { killmail_id, killmail_time, solar_system_id, json, computed_hash })
    }

    /// Whether the body tells of another hash than this one. It is to be logged and nothing else: how a hash follows from
    /// a body was found out, not documented. False for a body that does not tell.
    #[must_use]
    pub fn contradicts(&self, hash: &KillmailHash) -> bool {
        self.computed_hash.as_ref().is_some_and(|computed| computed != hash)
    }
}

fn is_participant(value: &Value) -> bool {
    let is_id_or_absent = |name| value.get(name).is_none_or(|id: &Value| id.is_null() || id.is_i64());
    value.is_object() && PARTICIPANT_IDS.into_iter().all(is_id_or_absent)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const GOOD: &str = r#"{ "killmail_id": 7, "killmail_time": "2016-10-22T17:13:36Z", "solar_system_id": 30002976,
        "victim": {"damage_taken": 1, "ship_type_id": 670, "character_id": null}, "attackers": [{"faction_id": 500010}],
        "from_the_future": {"kept": [1.50, "ä"]} }"#;

    #[test]
    fn a_good_body_is_kept_as_it_came() {
        let body = KillmailBody::parse(GOOD.to_owned()).unwrap();
        assert_eq!(body.json, GOOD);
        assert_eq!(body.solar_system_id, 30_002_976);
        assert_eq!(body.killmail_time.timestamp(), 1_477_156_416);
    }

    #[test]
    fn what_is_not_a_killmail_is_refused() {
        let cases = [
            ("", "", "not a killmail"),
            (GOOD, "[]", "no number killmail_id"),
            ("7,", "0,", "must be a positive number"),
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
            let why = KillmailBody::parse(json.clone()).unwrap_err().to_string();
            assert!(why.contains(expected), "{why:?} for {json}");
        }
        let cut_off = GOOD[..GOOD.len() - 1].to_owned();
        assert!(KillmailBody::parse(cut_off).unwrap_err().to_string().contains("not a killmail"));
    }

    /// Members that no specification names, as they stand in a text.
    fn unknown_members() -> impl Strategy<Value = Vec<String>> {
        let value = prop_oneof![
            any::<String>().prop_map(|text| Value::from(text).to_string()),
            any::<f64>()
                .prop_filter_map("JSON knows no other", |number| number.is_finite().then(|| number.to_string())),
            "-?[1-9][0-9]{0,40}\\.[0-9]{1,40}",
            (0_usize..60).prop_map(|depth| format!("{}{}", "[".repeat(depth + 1), "]".repeat(depth + 1))),
            Just("null".to_owned()),
        ];
        let name = any::<String>().prop_map(|name| Value::from(format!("x{name}")).to_string());
        prop::collection::vec((name, value).prop_map(|(name, value)| format!("{name} :{value}")), 0..6)
    }

    proptest! {
        #[test]
        fn a_body_is_kept_to_the_letter_whatever_is_in_it(members in unknown_members()) {
            let members: String = members.iter().map(|member| format!("{member},\n")).collect();
            let json = GOOD.replacen('{', &format!("{{{members}"), 1);
            let body = KillmailBody::parse(json.clone()).unwrap();
            prop_assert_eq!((body.json, body.killmail_id.get()), (json, 7));
        }

        #[test]
        fn a_body_that_is_cut_off_is_none(members in unknown_members(), place in any::<prop::sample::Index>()) {
            let members: String = members.iter().map(|member| format!("{member},")).collect();
            let mut json = GOOD.replacen('{', &format!("{{{members}"), 1);
            let places: Vec<usize> = json.char_indices().map(|(place, _)| place).collect();
            json.truncate(places[place.index(places.len())]);
            prop_assert!(KillmailBody::parse(json).is_err());
        }

        #[test]
        fn whatever_else_comes_is_no_killmail(text in any::<String>()) {
            prop_assert!(KillmailBody::parse(text).is_err());
        }
    }
}
