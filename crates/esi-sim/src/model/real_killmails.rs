//! 26 real killmails of the years 2008 to 2026, with their real hashes.
//!
//! They hold what a generator does not think of: starbases, structures, nested items, NPC final blows, 498 attackers.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::killmail::Killmail;

const FIXTURE: &str = include_str!("../../fixtures/killmails.json");

#[derive(Deserialize)]
struct Entry {
    #[cfg_attr(not(test), expect(dead_code, reason = "only the test of the hash formula compares it"))]
    killmail_hash: String,
    body: Box<RawValue>,
}

/// All of them, in the order of their ids.
#[must_use]
pub fn real_killmails() -> Vec<Killmail> {
    entries()
        .iter()
        .map(|entry| Killmail::from_body(entry.body.get()).expect("the fixture is part of the crate and is tested"))
        .collect()
}

fn entries() -> Vec<Entry> {
    serde_json::from_str(FIXTURE).expect("the fixture is part of the crate and is tested")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_formula_holds_for_all_of_them() {
        let entries = entries();
        let killmails = real_killmails();
        assert_eq!(killmails.len(), 26);
        for (entry, killmail) in entries.iter().zip(&killmails) {
            assert_eq!(killmail.killmail_hash.as_str(), entry.killmail_hash, "killmail {}", killmail.killmail_id);
        }
    }

    #[test]
    fn compacting_a_body_changes_no_value() {
        for (entry, killmail) in entries().iter().zip(real_killmails()) {
            let sent: serde_json::Value = serde_json::from_str(killmail.body.get()).unwrap();
            let original: serde_json::Value = serde_json::from_str(entry.body.get()).unwrap();
            assert_eq!(sent, original);
            assert!(!killmail.body.get().contains('\n'));
        }
    }
}
