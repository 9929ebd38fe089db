//! Numbers of the game that generated killmails are made of: ships, weapons, goods, systems.
//!
//! They are of the right kind and range; nothing checks that a ship can carry what it carries.

/// Ships of pilots.
pub(super) const SHIPS: [i64; 14] =
    [587, 593, 603, 622, 626, 638, 642, 670, 11_176, 11_393, 12_005, 17_703, 22_428, 24_690];
/// Weapons and other modules that do damage.
pub(super) const WEAPONS: [i64; 10] = [484, 490, 2_488, 2_913, 2_977, 3_057, 3_178, 10_631, 19_739, 27_351];
/// Ships of NPCs.
pub(super) const NPC_SHIPS: [i64; 6] = [13_110, 23_429, 24_148, 30_188, 48_087, 52_490];
/// NPC corporations (1,000,000 to 1,999,999) beside the faction that they belong to.
pub(super) const NPC_CORPORATIONS: [(i64, i64); 4] =
    [(1_000_125, 500_019), (1_000_127, 500_010), (1_000_134, 500_011), (1_000_162, 500_012)];
/// Modules, charges and goods.
pub(super) const ITEMS: [i64; 16] =
    [34, 35, 178, 215, 377, 438, 519, 1_319, 2_048, 2_281, 2_454, 3_244, 5_051, 11_370, 16_519, 31_716];
/// Containers, which hold further items.
pub(super) const CONTAINERS: [i64; 4] = [3_293, 3_296, 3_297, 33_003];
/// Deployables and structures: victims without a pilot.
pub(super) const STRUCTURES: [i64; 5] = [33_475, 33_477, 35_833, 35_835, 36_523];
/// Slots and holds of a ship.
pub(super) const FLAGS: [i64; 12] = [5, 11, 12, 13, 19, 20, 27, 28, 87, 89, 92, 155];
/// The cargo hold.
pub(super) const CARGO: i64 = 5;
/// Solar systems are 30 M to 33 M.
pub(super) const SOLAR_SYSTEMS: std::ops::RangeInclusive<i64> = 30_000_001..=30_005_201;
