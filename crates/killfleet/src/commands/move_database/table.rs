//! What a move ends with.

use std::path::Path;

use store::carry::{Carried, CarriedTable};

/// More parked killmails than these are found in the database.
const BODIES_TOLD_MAX: usize = 20;

pub(super) fn of(carried: &Carried, from: &Path) -> String {
    let (from, destination) = (from.display(), &carried.destination);
    if let (true, Some(finished_at)) = (carried.tables.is_empty(), carried.finished_at) {
        let at = finished_at.format("%Y-%m-%d %H:%M UTC");
        return format!("{from} was moved to {destination} and found equal on {at}: there is nothing left to do");
    }
    let heading =
        format!("{:<22} {:>12} {:>12} {:>14}  {}", "table", "carried", "in the file", "in the fleet", "equal");
    let mut lines = vec![heading];
    lines.extend(carried.tables.iter().map(row));
    if !carried.refused_bodies.is_empty() {
        lines.push(format!("\nbodies that PostgreSQL does not take ({}):", carried.refused_bodies.len()));
        let bodies = carried.refused_bodies.iter().take(BODIES_TOLD_MAX);
        lines.extend(bodies.map(|body| format!("  killmail {}: {}", body.killmail_id, body.reason)));
    }
    if carried.finished_at.is_some() {
        lines.push(format!(
            "\nThe tokens belong to {destination} now: start killfleet-scheduler and killfleet-worker there. {from} is kept, \
             and `killfleet standalone` does not start on it any more."
        ));
    }
    lines.join("\n")
}

fn row(table: &CarriedTable) -> String {
    let CarriedTable { table: name, carried, in_source, in_destination, .. } = table;
    format!("{name:<22} {carried:>12} {in_source:>12} {in_destination:>14}  {}", equal(table))
}

fn equal(table: &CarriedTable) -> String {
    if table.is_equal() {
        return "yes".to_owned();
    }
    let more = if table.differing > table.differing_keys.len() as u64 { ", …" } else { "" };
    format!("no: {} rows differ: {}{more}", table.differing, table.differing_keys.join(", "))
}

#[cfg(test)]
mod tests {
    use store::carry::RefusedBody;

    use super::*;

    fn carried() -> Carried {
        let table = CarriedTable {
            table: "killmail",
            carried: 3,
            in_source: 9,
            in_destination: 8,
            differing: 0,
            differing_keys: Vec::new(),
        };
        Carried {
            destination: "db:5432/fleet".to_owned(),
            tables: vec![table],
            refused_bodies: Vec::new(),
            finished_at: "2026-11-20T12:00:00Z".parse().ok(),
        }
    }

    fn told(carried: &Carried) -> String {
        of(carried, Path::new("fleet.db"))
    }

    #[test]
    fn each_table_is_a_line_and_the_end_says_whose_the_tokens_are() {
        let text = told(&carried());
        let row = "killmail                          3            9              8  yes";
        assert_eq!(text.lines().nth(1), Some(row), "{text}");
        assert!(text.ends_with("does not start on it any more."), "{text}");
    }

    #[test]
    fn the_first_keys_that_differ_are_named_and_no_token_is_spoken_of() {
        let mut carried = carried();
        carried.finished_at = None;
        carried.tables[0].differing = 2;
        carried.tables[0].differing_keys = vec!["1".to_owned(), "2".to_owned()];
        assert!(told(&carried).ends_with("  no: 2 rows differ: 1, 2"));
        carried.tables[0].differing = 3;
        assert!(told(&carried).ends_with("  no: 3 rows differ: 1, 2, …"));
    }

    #[test]
    fn bodies_that_are_not_taken_are_listed_up_to_a_point() {
        let mut carried = carried();
        let refused = |killmail_id| RefusedBody { killmail_id, reason: "unsupported".to_owned() };
        carried.refused_bodies = (1..=25).map(refused).collect();
        let text = told(&carried);
        assert!(text.contains("does not take (25):\n  killmail 1: unsupported\n"), "{text}");
        assert_eq!(text.matches(": unsupported").count(), BODIES_TOLD_MAX);
    }

    #[test]
    fn what_was_moved_before_is_said_in_a_line() {
        let mut carried = carried();
        carried.tables.clear();
        let text = told(&carried);
        assert_eq!(
            text,
            "fleet.db was moved to db:5432/fleet and found equal on 2026-11-20 12:00 UTC: there is nothing left to do"
        );
    }
}
