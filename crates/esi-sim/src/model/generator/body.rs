//! One generated killmail.
//!
//! The rule: it has the regularities of the real ones. The damage of the attackers adds up to the damage taken, they
//! stand in falling order of damage, exactly one has the final blow, and the hash is the one that ESI would give.

use chrono::{DateTime, SecondsFormat, Utc};
use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use serde_json::{Value, json};

use super::super::character::Character;
use super::super::ids::KillmailId;
use super::super::killmail::Killmail;
use super::catalogue::{NPC_CORPORATIONS, NPC_SHIPS, SHIPS, SOLAR_SYSTEMS, STRUCTURES, WEAPONS};
use super::items::items;

/// Pilots who never signed in: they fill the killmails and have no list.
const OUTSIDERS: std::ops::Range<i64> = 90_000_000..90_400_000;

/// Makes a killmail in which all of `participants` take part, one of them at times as the victim.
pub(crate) fn compose(
    chance: &mut StdRng,
    killmail_id: KillmailId,
    killmail_time: DateTime<Utc>,
    participants: &[&Character],
) -> Killmail {
    let is_loss = chance.random_bool(0.4);
    let (victims, attackers) = participants.split_at(if is_loss { participants.len().min(1) } else { 0 });
    let damage_taken = chance.random_range(400..=180_000);
    let body = json!({
        "attackers": attackers_of(chance, attackers, damage_taken),
        "killmail_id": killmail_id,
        "killmail_time": killmail_time.to_rfc3339_opts(SecondsFormat::Secs, true),
        "solar_system_id": chance.random_range(SOLAR_SYSTEMS),
        "victim": victim(chance, victims.first().copied(), damage_taken),
    });
    Killmail::from_body(&body.to_string()).expect("it has every member that a killmail is read by")
}

fn victim(chance: &mut StdRng, character: Option<&Character>, damage_taken: i64) -> Value {
    let mut victim = match character {
        Some(character) => pilot(chance, character.character_id.number(), character.corporation_id.number()),
        None if chance.random_bool(0.15) => {
            let structure = STRUCTURES.choose(chance).expect("the list is a constant and not empty");
            json!({ "corporation_id": 98_600_000, "ship_type_id": structure })
        }
        None => outsider(chance),
    };
    let coordinate = |chance: &mut StdRng| chance.random_range(-4.0e12..4.0e12_f64);
    victim["damage_taken"] = json!(damage_taken);
    victim["items"] = Value::Array(items(chance));
    victim["position"] = json!({ "x": coordinate(chance), "y": coordinate(chance), "z": coordinate(chance) });
    victim
}

/// One to twelve attackers, or more when more than twelve of our characters are in it.
fn attackers_of(chance: &mut StdRng, characters: &[&Character], damage_taken: i64) -> Vec<Value> {
    let count = chance.random_range(1..=12).max(characters.len());
    let mut attackers: Vec<Value> = characters
        .iter()
        .map(|character| armed(chance, character.character_id.number(), character.corporation_id.number()))
        .collect();
    while attackers.len() < count {
        let attacker = if chance.random_bool(0.25) { npc(chance) } else { armed_outsider(chance, attackers.len()) };
        attackers.push(attacker);
    }
    for (attacker, damage) in attackers.iter_mut().zip(shares(chance, damage_taken, count)) {
        attacker["damage_done"] = json!(damage);
    }
    attackers.sort_by_key(|attacker| std::cmp::Reverse(attacker["damage_done"].as_i64()));
    let final_blow = chance.random_range(0..count);
    for (index, attacker) in attackers.iter_mut().enumerate() {
        attacker["final_blow"] = json!(index == final_blow);
    }
    attackers
}

/// Splits a whole into shares that add up to it.
fn shares(chance: &mut StdRng, whole: i64, count: usize) -> Vec<i64> {
    let weights: Vec<i64> = (0..count).map(|_| chance.random_range(1..=100)).collect();
    let sum: i64 = weights.iter().sum();
    let mut shares: Vec<i64> = weights.iter().map(|weight| whole * weight / sum).collect();
    shares[0] += whole - shares.iter().sum::<i64>();
    shares
}

fn pilot(chance: &mut StdRng, character_id: i64, corporation_id: i64) -> Value {
    let ship = SHIPS.choose(chance).expect("the list is a constant and not empty");
    let mut pilot = json!({ "character_id": character_id, "corporation_id": corporation_id, "ship_type_id": ship });
    if corporation_id % 2 == 0 {
        pilot["alliance_id"] = json!(99_000_000 + corporation_id % 1_000);
    }
    pilot
}

fn armed(chance: &mut StdRng, character_id: i64, corporation_id: i64) -> Value {
    let mut pilot = pilot(chance, character_id, corporation_id);
    pilot["weapon_type_id"] = json!(WEAPONS.choose(chance));
    pilot["security_status"] = json!(f64::from(chance.random_range(-100..=50)) / 10.0);
    pilot
}

fn outsider(chance: &mut StdRng) -> Value {
    let character_id = chance.random_range(OUTSIDERS);
    pilot(chance, character_id, 98_500_000 + character_id % 40)
}

/// `place` keeps two attackers of one killmail from being the same pilot.
fn armed_outsider(chance: &mut StdRng, place: usize) -> Value {
    let lane = chance.random_range(0..4_000_i64);
    let character_id = OUTSIDERS.end + lane * 100 + i64::try_from(place % 100).unwrap_or(0);
    armed(chance, character_id, 98_500_000 + character_id % 40)
}

fn npc(chance: &mut StdRng) -> Value {
    let (corporation_id, faction_id) = NPC_CORPORATIONS.choose(chance).expect("the list is a constant and not empty");
    let ship = NPC_SHIPS.choose(chance).expect("the list is a constant and not empty");
    let mut npc = json!({ "security_status": 0.0, "ship_type_id": ship });
    // Real NPCs come with the faction, with the corporation, or with both.
    match chance.random_range(0..3) {
        0 => npc["faction_id"] = json!(faction_id),
        1 => npc["corporation_id"] = json!(corporation_id),
        _ => {
            npc["faction_id"] = json!(faction_id);
            npc["corporation_id"] = json!(corporation_id);
        }
    }
    npc
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    #[test]
    fn generated_killmails_have_the_regularities_of_real_ones() {
        let mut chance = StdRng::seed_from_u64(11);
        let time = DateTime::from_timestamp(1_790_000_000, 0).unwrap();
        let (mut npcs, mut containers, mut structures) = (0, 0, 0);
        for number in 1..=300 {
            let killmail = compose(&mut chance, KillmailId::from_number(number), time, &[]);
            let body: Value = serde_json::from_str(killmail.body.get()).unwrap();
            let attackers = body["attackers"].as_array().unwrap();
            let damage: Vec<i64> = attackers.iter().map(|a| a["damage_done"].as_i64().unwrap()).collect();
            assert!((1..=12).contains(&attackers.len()));
            assert_eq!(damage.iter().sum::<i64>(), body["victim"]["damage_taken"].as_i64().unwrap());
            assert!(damage.is_sorted_by(|left, right| left >= right));
            assert_eq!(attackers.iter().filter(|a| a["final_blow"] == true).count(), 1);
            npcs += attackers.iter().filter(|a| a["character_id"].is_null()).count();
            structures += usize::from(body["victim"]["character_id"].is_null());
            for item in body["victim"]["items"].as_array().unwrap() {
                assert_ne!(item["quantity_destroyed"].is_null(), item["quantity_dropped"].is_null());
                containers += usize::from(item["items"].is_array());
            }
        }
        assert!(npcs > 100 && containers > 10 && structures > 10, "{npcs} {containers} {structures}");
    }
}
