//! Makes a world from a seed: pilots, then their fights, then the real killmails on top.
//!
//! The rule: all chance comes from the seed and all time from a fixed date, so that two runs can be compared.
//! Where to go next: [`names`] for the pilots, [`body`] for one killmail, [`items`] for what was in the hold.

mod body;
mod catalogue;
mod items;
mod names;

use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, TimeDelta, Utc};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};

pub(super) use body::compose;

use super::character::Character;
use super::ids::{CharacterId, CorporationId};
use super::real_killmails::real_killmails;
use super::world::{World, WorldSize};

/// Generated killmails have ids above this; the youngest real one in the fixture has 137,230,345.
pub(super) const FIRST_KILLMAIL_ID: i64 = 138_500_000;

/// The list route goes back 90 days (OpenAPI text of the route).
const DAYS_BACK: i64 = 90;

/// The end of the 90 days of generated killmails: 2026-11-20T00:00:00Z. Fixed, so that a world does not depend on the
/// day on which it is made.
const REFERENCE_SECONDS: i64 = 1_795_132_800;

/// The world of a seed.
pub(super) fn generate(seed: u64, size: WorldSize) -> World {
    let mut chance = StdRng::seed_from_u64(seed);
    let mut world = World::default();
    let characters = characters(&mut chance, size.characters);
    for character in &characters {
        world.add_character(character.clone());
    }
    for time in times(&mut chance, size.killmails) {
        let participants = participants(&mut chance, &characters);
        let killmail_id = world.next_killmail_id(&mut chance);
        let killmail = compose(&mut chance, killmail_id, time, &participants);
        let on_lists_of: Vec<CharacterId> = participants.iter().map(|character| character.character_id).collect();
        world.add_killmail(killmail, &on_lists_of);
    }
    if size.real_killmails {
        let character_ids: Vec<CharacterId> = characters.iter().map(|character| character.character_id).collect();
        for killmail in real_killmails() {
            let lists = chance.random_range(1..=3);
            let on_lists_of: Vec<CharacterId> = character_ids.choose_multiple(&mut chance, lists).copied().collect();
            world.add_killmail(killmail, &on_lists_of);
        }
    }
    world
}

/// A fresh owner hash: base64 of 20 bytes.
pub(super) fn owner_hash(chance: &mut StdRng) -> String {
    STANDARD.encode(chance.random::<[u8; 20]>())
}

fn characters(chance: &mut StdRng, count: u32) -> Vec<Character> {
    let first_name = chance.random_range(0..names::COMBINATIONS);
    let mut number = 2_112_000_000;
    let mut characters: Vec<_> = (0..count)
        .map(|index| {
            number += chance.random_range(1..=900);
            Character {
                character_id: CharacterId::from_number(number),
                name: names::name(first_name, index),
                corporation_id: corporation(chance, count),
                is_director: false,
                owner: owner_hash(chance),
                killmail_ids: BTreeSet::new(),
            }
        })
        .collect();
    // The first member of each corporation.
    let mut directed = BTreeSet::new();
    for character in &mut characters {
        character.is_director = directed.insert(character.corporation_id);
    }
    characters
}

/// A corporation for about every eight characters.
fn corporation(chance: &mut StdRng, characters: u32) -> CorporationId {
    CorporationId::from_number(98_700_000 + i64::from(chance.random_range(0..characters.div_ceil(8)) * 17))
}

fn times(chance: &mut StdRng, count: u32) -> Vec<DateTime<Utc>> {
    let reference = DateTime::from_timestamp(REFERENCE_SECONDS, 0).expect("a constant date of our era");
    let span_seconds = TimeDelta::days(DAYS_BACK).num_seconds();
    let mut times: Vec<_> =
        (0..count).map(|_| reference - TimeDelta::seconds(chance.random_range(1..span_seconds))).collect();
    times.sort_unstable();
    times
}

/// Half of the fights have one of our characters in them, half have two to six.
fn participants<'world>(chance: &mut StdRng, characters: &'world [Character]) -> Vec<&'world Character> {
    let count = if chance.random_bool(0.5) { chance.random_range(2..=6) } else { 1 };
    characters.choose_multiple(chance, count).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::Value;

    use super::*;

    const SIZE: WorldSize = WorldSize { characters: 20, killmails: 200, real_killmails: true };

    fn text_of(world: &World) -> String {
        world.killmails().map(|killmail| killmail.body.get()).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn the_same_seed_makes_the_same_world() {
        assert_eq!(text_of(&generate(7, SIZE)), text_of(&generate(7, SIZE)));
        assert_ne!(text_of(&generate(7, SIZE)), text_of(&generate(8, SIZE)));
    }

    #[test]
    fn every_list_holds_exactly_the_killmails_that_its_character_is_in() {
        let world = generate(1, WorldSize { real_killmails: false, ..SIZE });
        for killmail in world.killmails() {
            let body: Value = serde_json::from_str(killmail.body.get()).unwrap();
            let mut inside: Vec<i64> = body["attackers"]
                .as_array()
                .unwrap()
                .iter()
                .map(|a| &a["character_id"])
                .chain([&body["victim"]["character_id"]])
                .filter_map(Value::as_i64)
                .filter(|id| world.character(CharacterId::from_number(*id)).is_some())
                .collect();
            inside.sort_unstable();
            let listed: Vec<i64> = world
                .characters()
                .filter(|character| character.killmail_ids.contains(&killmail.killmail_id))
                .map(|character| character.character_id.number())
                .collect();
            assert_eq!(inside, listed);
            assert!(!listed.is_empty());
        }
    }

    #[test]
    fn about_half_of_the_killmails_are_shared() {
        let world = generate(3, WorldSize { killmails: 400, real_killmails: false, ..SIZE });
        let on_lists: usize = world.characters().map(|character| character.killmail_ids.len()).sum();
        let shared = world
            .killmails()
            .filter(|killmail| {
                world.characters().filter(|c| c.killmail_ids.contains(&killmail.killmail_id)).count() > 1
            })
            .count();
        assert!((140..=260).contains(&shared), "{shared} of 400 are shared");
        assert!(on_lists > 800);
    }

    #[test]
    fn the_real_killmails_come_on_top_and_names_are_unique() {
        let world = generate(1, SIZE);
        assert_eq!(world.killmails().count(), 226);
        let names: BTreeSet<_> = world.characters().map(|character| &character.name).collect();
        assert_eq!(names.len(), 20);
    }

    #[test]
    fn every_corporation_has_one_director_and_some_have_many_members() {
        let world = generate(1, WorldSize { characters: 200, killmails: 0, real_killmails: false });
        let mut members: BTreeMap<CorporationId, (usize, usize)> = BTreeMap::new();
        for character in world.characters() {
            let (all, directors) = members.entry(character.corporation_id).or_default();
            *all += 1;
            *directors += usize::from(character.is_director);
        }
        assert!(members.values().all(|(_, directors)| *directors == 1));
        assert!(members.len() > 10 && members.values().any(|(all, _)| *all >= 5), "{members:?}");
        assert!(members.keys().all(|corporation_id| !corporation_id.is_npc()));
    }

    #[test]
    fn one_character_alone_makes_a_world_too() {
        let world = generate(1, WorldSize { characters: 1, killmails: 10, real_killmails: true });
        assert_eq!(world.characters().next().unwrap().killmail_ids.len(), 36);
    }
}
