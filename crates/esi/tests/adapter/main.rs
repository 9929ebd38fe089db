//! The adapter against a small scripted server on a local port: what it sends, and how it classes what comes back.
//!
//! Every test has a server of its own, so they run side by side. `server` is the server, `tokens` signs JWTs.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, and so do the functions that only tests call")]

mod affiliations;
mod answers_of_the_token_route;
mod body;
mod conformance;
mod endpoints;
mod identity;
mod killmail_hash;
mod list;
mod refresh;
mod refusals;
mod server;
mod server_status;
mod sign_in;
mod tokens;
mod transport;
mod validate;
