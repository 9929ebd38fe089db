//! The rules: what is true of characters, token streams, jobs and failures.
//!
//! Nothing here reads a clock, the environment, a file or the network: time, chance and identity come in as
//! arguments, so every rule is a table of cases in its own file. The adapters (`store`, `broker`, `esi`) know this
//! crate and not each other; the processes join them.
//!
//! Where to start: [`job`] says what the fleet does, [`plan`] who is to be done, [`token`] the life of a login,
//! [`failure`] what happens after something went wrong, [`pace`] how fast ESI is asked, [`gate`]
//! whether at all, and [`ErrorLimit`] how errors slow it down.

pub mod downtime;
mod error_limit;
pub mod failure;
pub mod gate;
pub mod ids;
pub mod job;
mod list_owner;
pub mod list_walk;
pub mod pace;
pub mod plan;
pub mod tier;
pub mod token;

pub use error_limit::ErrorLimit;
pub use failure::{Counted, Failure, FailureClass, Outcome, Tries, Verdict};
pub use ids::{CharacterId, CorporationId, KillmailHash, KillmailId, KillmailRef, TokenStreamId};
pub use job::{Delivered, Job, JobMessage, Lane, SyncList, SyncMode};
pub use list_owner::{Affiliation, ListOwner};
