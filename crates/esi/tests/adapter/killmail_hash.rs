//! What a body tells of its hash.

use domain::KillmailHash;
use esi::KillmailBody;
use serde_json::value::RawValue;
use serde_json::{Value, json};

#[derive(serde::Deserialize)]
struct RealKillmail {
    killmail_hash: KillmailHash,
    body: Box<RawValue>,
}

/// The store's: once is enough of them.
fn real_killmails() -> Vec<RealKillmail> {
    let killmails: Vec<RealKillmail> =
        serde_json::from_str(include_str!("../../../store/tests/fixtures/killmails.json")).unwrap();
    assert_eq!(killmails.len(), 26);
    killmails
}

fn parsed(body: impl ToString) -> KillmailBody {
    KillmailBody::parse(body.to_string()).unwrap()
}

#[test]
fn every_real_body_tells_its_own_hash_and_no_other() {
    let killmails = real_killmails();
    for killmail in &killmails {
        let body = parsed(&killmail.body);
        for other in &killmails {
            let is_own = other.killmail_hash == killmail.killmail_hash;
            assert_eq!(body.contradicts(&other.killmail_hash), !is_own, "killmail {}", body.killmail_id);
        }
    }
}

#[test]
fn what_the_hash_is_made_of_changes_it_and_nothing_else_does() {
    let killmails = real_killmails();
    let real = killmails.iter().find(|killmail| killmail.body.get().contains("\"war_id\"")).unwrap();
    let contradicts = |pointer: &str, value: Value| {
        let mut body: Value = serde_json::from_str(real.body.get()).unwrap();
        *body.pointer_mut(pointer).unwrap() = value;
        parsed(body).contradicts(&real.killmail_hash)
    };
    let body: Value = serde_json::from_str(real.body.get()).unwrap();
    let attackers = body["attackers"].as_array().unwrap();
    let final_blow = attackers.iter().position(|attacker| attacker["final_blow"] == true).unwrap();
    let of_final_blow = |name: &str| format!("/attackers/{final_blow}/{name}");
    let with_pilot = |holder: &Value| {
        let mut holder = holder.clone();
        holder["character_id"] = json!(1);
        holder
    };
    let cases = [
        ("/victim", with_pilot(&body["victim"]), true),
        ("/victim/ship_type_id", json!(1), true),
        (&of_final_blow("character_id"), json!(1), true),
        ("/killmail_time", json!("2016-10-22T17:13:36Z"), true),
        ("/killmail_id", json!(1), false),
        ("/war_id", json!(1), false),
        ("/solar_system_id", json!(1), false),
        (&of_final_blow("damage_done"), json!(1), false),
        // Without all that it is made of, or in a year that no file time reaches, a body does not tell.
        (&of_final_blow("final_blow"), json!(false), false),
        ("/attackers", json!([{ "final_blow": true }, { "final_blow": true }]), false),
        ("/victim/ship_type_id", json!(null), false),
        ("/killmail_time", json!("+200000-01-01T00:00:00Z"), false),
    ];
    for (pointer, value, expected) in cases {
        assert_eq!(contradicts(pointer, value.clone()), expected, "{pointer} = {value}");
    }
}
