//! The worker: three lanes of jobs, and what they need.
//!
//! Where to start: [`handle`] is the table of contents. One character's way through it: `lanes::sync_list` finds a
//! token (`good_token`, which may have to [`refresh`]), walks the list and returns the bodies to ask for;
//! `lanes::fetch_details` stores them. `outage` watches whether ESI is open;
//! [`sibling`] gives tokens to other services, [`token_api`] over HTTP.

mod good_token;
mod lanes;
mod outage;
mod pace;
mod pauses;
pub mod refresh;
pub mod settings;
pub mod sibling;
pub mod token_api;
mod worker;

pub use lanes::handle;
pub use pace::Pace;
pub use pauses::Pauses;
pub use worker::Worker;
