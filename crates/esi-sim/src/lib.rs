//! ESI and EVE SSO as a state model with HTTP faces, for tests, demos and benchmarks.
//!
//! The rule: nothing here knows killfleet. The simulator shares no type with the client it is used to test, because
//! with one shared struct a wrong field name would agree with itself.
//!
//! Where to go next: [`model`] is what is true (pure: time comes in as an argument, chance from a seed), [`faces`] is
//! the HTTP in front of it, [`control`] is how a test steers and questions it, [`command`] is the command line.

pub mod clock;
pub mod command;
pub mod control;
pub mod faces;
pub mod model;
