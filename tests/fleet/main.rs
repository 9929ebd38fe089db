//! The fleet as a user would run it: the built binaries against `esi-sim`, on services (real PostgreSQL, real RabbitMQ)
//! and as one process on one file. A test that does not need the broker or several workers runs on both (`on_both!`).
//!
//! One module for each subject. Every test of the fleet ends with the oracle (`harness/oracle.rs`): the database says
//! what the simulator knows to be true, and nothing else happened. Build first: `cargo build --workspace`.

#![expect(clippy::unwrap_used, reason = "what cannot be had fails its test")]

mod architecture;
mod bad_grants;
mod bodies_that_are_wrong;
mod broker_losses;
mod character_add;
mod character_explain_remove;
mod corporations;
mod cost;
mod database_losses;
mod demo;
mod error_limit;
mod exercise;
mod expired_tokens;
mod full_speed;
mod granted_scopes;
mod happy_path;
mod harness;
mod health_listener;
mod import_everef;
mod import_killreport;
mod keys;
mod killed_refresh;
mod killed_worker;
mod lanes;
mod lists_that_are_odd;
mod lists_that_are_refused;
mod lists_that_are_wrong;
mod login;
mod look;
mod lost_answers;
mod lost_races;
mod mass_refusal;
mod missing_tokens;
mod moved;
mod oracle_itself;
mod outage;
mod pace;
mod paging;
mod parked;
mod poison;
mod providers;
mod references;
mod refused_refresh;
mod refused_scopes;
mod repeated_messages;
mod rotation;
mod scheduler_flags;
mod schema;
mod secrets;
mod settings;
mod siblings;
mod sso_outage;
mod sso_trouble;
mod standalone;
mod stopped_worker;
mod tls;
mod told_to_wait;
mod too_many_requests;
mod torn_lists;
mod troubled_login;
mod two_schedulers;
mod unreadable_messages;
mod wrong_secret;
