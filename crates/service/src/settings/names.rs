//! The environment variables of the fleet. They are a contract: scripts and unit files name them.
//!
//! The flag of a variable is its name without the prefix, in lower case: `KILLFLEET_DATABASE_URL`, `--database-url`.

pub const DATABASE_URL: &str = "KILLFLEET_DATABASE_URL";
pub const DATABASE_URL_FILE: &str = "KILLFLEET_DATABASE_URL_FILE";

pub const AMQP_URL: &str = "KILLFLEET_AMQP_URL";
pub const AMQP_URL_FILE: &str = "KILLFLEET_AMQP_URL_FILE";
pub const QUEUE_PREFIX: &str = "KILLFLEET_QUEUE_PREFIX";

pub const SSO_URL: &str = "KILLFLEET_SSO_URL";
pub const SSO_TOKEN_URL: &str = "KILLFLEET_SSO_TOKEN_URL";
pub const SSO_JWKS_URL: &str = "KILLFLEET_SSO_JWKS_URL";
pub const SSO_AUTHORIZE_URL: &str = "KILLFLEET_SSO_AUTHORIZE_URL";
pub const SSO_VALIDATE_URL: &str = "KILLFLEET_SSO_VALIDATE_URL";
pub const SSO_CLIENT_AUTH: &str = "KILLFLEET_SSO_CLIENT_AUTH";
pub const CLIENT_ID: &str = "KILLFLEET_CLIENT_ID";
pub const CLIENT_SECRET: &str = "KILLFLEET_CLIENT_SECRET";
pub const CLIENT_SECRET_FILE: &str = "KILLFLEET_CLIENT_SECRET_FILE";

pub const ESI_URL: &str = "KILLFLEET_ESI_URL";
pub const DOWNTIME: &str = "KILLFLEET_DOWNTIME";
pub const CONTACT: &str = "KILLFLEET_CONTACT";

pub const TOKEN_KEY: &str = "KILLFLEET_TOKEN_KEY";
pub const TOKEN_KEY_FILE: &str = "KILLFLEET_TOKEN_KEY_FILE";

pub const CORPORATIONS: &str = "KILLFLEET_CORPORATIONS";
pub const TIERS: &str = "KILLFLEET_TIERS";

pub const TOKEN_BUFFER: &str = "KILLFLEET_TOKEN_BUFFER";
pub const SSO_CONCURRENCY: &str = "KILLFLEET_SSO_CONCURRENCY";

pub const TOKEN_API_SECRET: &str = "KILLFLEET_TOKEN_API_SECRET";
pub const TOKEN_API_SECRET_FILE: &str = "KILLFLEET_TOKEN_API_SECRET_FILE";
pub const TOKEN_API_BEHIND_TLS: &str = "KILLFLEET_TOKEN_API_BEHIND_TLS";

pub const LISTEN: &str = "KILLFLEET_LISTEN";
pub const LOG: &str = "KILLFLEET_LOG";
pub const LOG_FORMAT: &str = "KILLFLEET_LOG_FORMAT";
