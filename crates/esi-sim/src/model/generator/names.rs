//! Names for pilots. Two lists, joined so that no two pilots share a name.

const FIRST: [&str; 20] = [
    "Aiko", "Brannoc", "Caelia", "Dorvan", "Eskild", "Fenna", "Garrik", "Hesper", "Ilmari", "Jessamy", "Korrin",
    "Lyra", "Marek", "Nadezh", "Orsolya", "Piet", "Quillon", "Ravn", "Sunniva", "Tamsin",
];

// An apostrophe and a hyphen are among them, because real names have them.
const LAST: [&str; 20] = [
    "Ashdown",
    "Brightwater",
    "Corvale",
    "D'Arventis",
    "Emberfall",
    "Farstrider",
    "Greywind",
    "Halloran",
    "Isenhart",
    "Jorvik",
    "Kestrel",
    "Lanthorn",
    "Morrow-Vane",
    "Nightingale",
    "Oakenshaw",
    "Pell",
    "Quarrel",
    "Rookwood",
    "Stormcrow",
    "Thorne",
];

/// How many names there are before numbers are added.
pub(super) const COMBINATIONS: usize = FIRST.len() * LAST.len();

/// The name of the pilot with this index, when counting starts at `start`.
pub(super) fn name(start: usize, index: u32) -> String {
    let index = index as usize;
    let place = (start + index) % COMBINATIONS;
    let (row, column) = (place / FIRST.len(), place % FIRST.len());
    // The column is added, so that neighbours differ in both parts; within a column the last names still differ.
    let name = format!("{} {}", FIRST[column], LAST[(row + column) % LAST.len()]);
    match index / COMBINATIONS {
        0 => name,
        round => format!("{name} {}", round + 1),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_thousand_names_are_a_thousand_different_names() {
        let names: BTreeSet<String> = (0..1000).map(|index| name(123, index)).collect();
        assert_eq!(names.len(), 1000);
    }
}
