//! The contract of the store: what every store of the fleet promises, whatever database it stands on.
//!
//! One module per noun. A test arranges and acts through the public verbs of [`store::Store`]; SQL is only for small
//! looks at rows and for moving times, and goes through [`harness`], which is all that knows which database this is.
//! Nothing here sleeps: time is moved by writing it into the rows.
#![expect(clippy::unwrap_used, reason = "a test says what failed by the line at which it stops")]

mod harness;

mod access_token;
mod backfill;
mod breaker;
mod carry;
mod connecting;
mod corporations;
mod disk_trouble;
mod due_character_claim;
mod due_characters;
mod due_killmails;
mod esi_bucket;
mod esi_gate;
mod exercise;
mod explained;
mod finished_claim;
mod fleet_status;
mod health_queries;
mod key_rotation;
mod killmail_body;
mod killmail_claim;
mod killmail_given_up;
mod killmail_odd_bodies;
mod killmail_verdict;
mod killmail_views;
mod killreport_users;
mod list_claim;
mod list_references;
mod list_schedule;
mod list_verdict;
mod list_walk;
mod login;
mod login_abandoned;
mod login_import;
mod login_races;
mod login_with_tokens;
mod look;
mod parked;
mod pause;
mod refresh_claim;
mod refresh_finish;
mod refresh_latecomers;
mod refresh_lost_answer;
mod refresh_rotation;
mod refresh_slots;
mod refused_scopes;
mod schema;
mod sealed_tokens;
mod sibling_tokens;
mod silence;
mod sqlite_file;
mod take_over;
mod token_events;
mod token_streams;
mod unopenable_stream;
mod views;
