//! EVE SSO and ESI over HTTPS: every answer classed.
//!
//! The rule of this crate: whatever the other side sends, the caller gets either a value that is whole and checked,
//! or an error that says what to do next. Nothing here retries, sleeps, stores or reads the wall clock; pacing and
//! remembering are the worker's.
//!
//! Where to start: [`Esi`] has the routes of ESI, [`Sso`] signs in, refreshes tokens and tells whose they are. Both go through
//! the one [`Http`]. No secret reaches a `Debug`, an error or a log line: texts of the other side are quoted only
//! after the tokens that were sent have been cut out of them.

mod address;
mod crypto;
mod http;
mod routes;
mod sso;

pub use address::{BuildError, UnsafeAddress};
pub use crypto::install_crypto;
pub use http::{Http, TimeLimits};
pub use routes::affiliations::AFFILIATIONS_MAX;
pub use routes::body::{KillmailBody, NotAKillmail};
pub use routes::budget::Budget;
pub use routes::error::{Call, EsiError, EsiErrorKind};
pub use routes::freshness::Freshness;
pub use routes::list::ListPage;
pub use routes::server_status::ServerStatus;
pub use routes::{Answered, COMPATIBILITY_DATE, Esi};
pub use sso::client_auth::ClientAuth;
pub use sso::grant::{AccessGrant, Grant, GrantError};
pub use sso::identity::{Identity, IdentityError, SignatureCheck};
pub use sso::refresh_error::{RefreshError, Trouble};
pub use sso::sign_in::{CallbackError, CodeError, SignIn, SignInRequest};
pub use sso::validate::{ValidateError, Validity};
pub use sso::{Sso, SsoSettings};
