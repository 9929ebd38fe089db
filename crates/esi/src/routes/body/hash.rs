//! The hash of a killmail as it follows from its body: SHA-1 over victim, final blow, ship and time.
//!
//! CCP does not document it. It has held for every real killmail that it was tried on, so a body that contradicts its
//! hash is worth a look, and never a reason to refuse it.

use chrono::{DateTime, Utc};
use domain::KillmailHash;
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use serde_json::Value;

/// From the epoch of Windows file times (1601-01-01) to 1970-01-01, in their units of 100 ns.
const FILE_TIME_EPOCH: i64 = 116_444_736_000_000_000;
const UNITS_PER_SECOND: i64 = 10_000_000;

/// None when the body does not hold what the hash is made of, or more than one final blow.
pub(super) fn of(body: &Value, killmail_time: DateTime<Utc>) -> Option<KillmailHash> {
    let mut final_blows = body["attackers"].as_array()?.iter().filter(|attacker| attacker["final_blow"] == true);
    let (final_blow, None) = (final_blows.next()?, final_blows.next()) else { return None };
    let ship_type_id = body["victim"]["ship_type_id"].as_i64()?;
    let file_time = killmail_time.timestamp().checked_mul(UNITS_PER_SECOND)?.checked_add(FILE_TIME_EPOCH)?;
    let text = format!("{}{}{ship_type_id}{file_time}", pilot(&body["victim"]), pilot(final_blow));
    let digest = digest(&SHA1_FOR_LEGACY_USE_ONLY, text.as_bytes());
    let digits: String = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    KillmailHash::parse(digits).ok()
}

/// Written by a program in Python, it seems: this is how that language writes nobody.
fn pilot(participant: &Value) -> String {
    participant["character_id"].as_i64().map_or_else(|| "None".to_owned(), |id| id.to_string())
}
