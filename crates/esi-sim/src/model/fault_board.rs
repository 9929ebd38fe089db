//! The faults in force.
//!
//! The rule: the first fault of the list that is for a request bites, and only that one. A held request is let go when
//! its fault leaves the list; writing a list that still holds the same fault keeps holding.

use rand::Rng;
use rand::rngs::StdRng;

use super::fault::{Action, Fault, Subject};

/// Names one fault as long as it is in force.
pub type FaultId = u64;

/// A fault that bit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bite {
    /// Which one.
    pub fault_id: FaultId,
    /// What it does.
    pub action: Action,
}

/// All faults in force, in their order.
#[derive(Debug, Default)]
pub struct FaultBoard {
    posted: Vec<Posted>,
    last_id: FaultId,
}

#[derive(Debug)]
struct Posted {
    fault_id: FaultId,
    fault: Fault,
    times_left: Option<u32>,
}

impl FaultBoard {
    /// Replaces the list. A fault that was there before and is equal keeps its identity, and its `times` begin anew.
    pub fn replace(&mut self, faults: Vec<Fault>) {
        let mut before = std::mem::take(&mut self.posted);
        for fault in faults {
            let known = before.iter().position(|posted| posted.fault == fault).map(|place| before.swap_remove(place));
            let fault_id = known.map_or_else(|| self.next_id(), |posted| posted.fault_id);
            self.posted.push(Posted { fault_id, times_left: fault.times, fault });
        }
    }

    /// The list, with the times that are left.
    #[must_use]
    pub fn faults(&self) -> Vec<Fault> {
        self.posted.iter().map(|posted| Fault { times: posted.times_left, ..posted.fault.clone() }).collect()
    }

    /// Whether a fault is still in the list, spent or not.
    #[must_use]
    pub fn holds(&self, fault_id: FaultId) -> bool {
        self.posted.iter().any(|posted| posted.fault_id == fault_id)
    }

    /// Lets the first fault bite that is for this request.
    pub fn bite(&mut self, chance: &mut StdRng, subject: &Subject) -> Option<Bite> {
        let posted = self.posted.iter_mut().find(|posted| {
            posted.times_left != Some(0) && posted.fault.is_for(subject) && chance.random_bool(posted.fault.probability)
        })?;
        posted.times_left = posted.times_left.map(|times| times - 1);
        Some(Bite { fault_id: posted.fault_id, action: posted.fault.action.clone() })
    }

    fn next_id(&mut self) -> FaultId {
        self.last_id += 1;
        self.last_id
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;
    use crate::model::request::Route;

    const STATUS: Subject = Subject {
        route: Route::Status,
        character_id: None,
        corporation_id: None,
        login: None,
        killmail_id: None,
        page: None,
    };

    fn faults(text: &str) -> Vec<Fault> {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn the_first_one_bites_until_it_is_spent() {
        let mut chance = StdRng::seed_from_u64(1);
        let mut board = FaultBoard::default();
        board.replace(faults(r#"[{"on":"status","times":2,"do":{"kind":"reset"}},{"on":"any","do":{"kind":"html"}}]"#));
        let mut kinds = Vec::new();
        for _ in 0..3 {
            kinds.push(board.bite(&mut chance, &STATUS).unwrap().action.name());
        }
        assert_eq!(kinds, ["reset", "reset", "html"]);
        assert_eq!(board.faults()[0].times, Some(0));
    }

    #[test]
    fn a_fault_that_is_written_again_is_the_same_fault() {
        let mut chance = StdRng::seed_from_u64(1);
        let mut board = FaultBoard::default();
        board.replace(faults(r#"[{"on":"status","times":1,"do":{"kind":"hold"}}]"#));
        let bite = board.bite(&mut chance, &STATUS).unwrap();
        board.replace(faults(r#"[{"on":"list","do":{"kind":"html"}},{"on":"status","times":1,"do":{"kind":"hold"}}]"#));
        assert!(board.holds(bite.fault_id));
        board.replace(Vec::new());
        assert!(!board.holds(bite.fault_id));
    }

    #[test]
    fn probability_is_kept_roughly() {
        let mut chance = StdRng::seed_from_u64(1);
        let mut board = FaultBoard::default();
        board.replace(faults(r#"[{"on":"status","probability":0.25,"do":{"kind":"reset"}}]"#));
        let bites = (0..1000).filter(|_| board.bite(&mut chance, &STATUS).is_some()).count();
        assert!((190..=310).contains(&bites), "{bites}");
    }
}
