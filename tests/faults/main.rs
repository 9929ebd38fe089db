//! The fault suite: built binaries, under load, on servers of its own that it kills, restarts and empties.
//!
//! `dev/faults` runs it; docs/faults.md says what is done and what must hold. [`faults`] is the table of faults,
//! [`round`] is what each of them goes through.

#![expect(clippy::unwrap_used, reason = "what cannot be had fails its round")]
#![expect(clippy::print_stdout, reason = "its table is what the suite is run for")]

mod crew;
mod faults;
#[path = "../fleet/harness/mod.rs"]
#[expect(dead_code, unused_imports, unused_macros, reason = "the fleet tests use the rest of it")]
mod harness;
mod load;
mod minutes;
mod proxy;
mod recovery;
mod report;
mod round;
mod servers;
mod settings;
mod sign;
mod suite;

#[test]
#[ignore = "takes minutes, and servers that it may kill: dev/faults runs it"]
fn nothing_is_lost_whatever_breaks() {
    suite::run(&settings::Settings::read());
}
