//! The address for probes and metrics.

use std::ffi::OsString;
use std::net::SocketAddr;

use clap::Args;

use super::raw::optional;
use super::{SettingError, names};

const REMEDY: &str = "give an IP address and a port, such as 127.0.0.1:9464, or leave it unset";

/// The flag and variable for the address that serves `/healthz`, `/readyz` and `/metrics`.
#[derive(Args, Clone)]
#[command(next_help_heading = "Health and metrics")]
pub struct ListenArgs {
    /// Address that serves /healthz, /readyz and /metrics, such as 127.0.0.1:9464 [default: none]
    #[arg(long, env = names::LISTEN, value_name = "ADDRESS")]
    listen: Option<OsString>,
}

impl ListenArgs {
    /// `None`: nothing is served. Port 0 asks the system for a free one.
    ///
    /// # Errors
    /// It is not an address with a port.
    pub fn resolve(&self) -> Result<Option<SocketAddr>, SettingError> {
        let Some(text) = optional(names::LISTEN, &self.listen)? else { return Ok(None) };
        match text.parse() {
            Ok(address) => Ok(Some(address)),
            Err(_) => Err(SettingError::malformed(names::LISTEN, format!("cannot be {text:?}"), REMEDY)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{described, parse};
    use super::*;

    fn resolve(flags: &[&str]) -> Result<Option<SocketAddr>, String> {
        parse::<ListenArgs>(flags).resolve().map_err(|error| error.to_string())
    }

    #[test]
    fn unset_serves_nothing() {
        assert_eq!(resolve(&[]), Ok(None));
        assert_eq!(resolve(&["--listen", ""]), Ok(None));
        assert_eq!(resolve(&["--listen", "127.0.0.1:9464"]), Ok(Some(([127, 0, 0, 1], 9464).into())));
        assert_eq!(resolve(&["--listen", "[::1]:0"]).unwrap().unwrap().port(), 0);
    }

    #[test]
    fn what_is_no_address_is_named() {
        for text in ["9464", ":9464", "localhost:9464", "127.0.0.1", "127.0.0.1:99999"] {
            let error = resolve(&["--listen", text]).unwrap_err();
            assert_eq!(error, format!("KILLFLEET_LISTEN cannot be {text:?}: {REMEDY}"));
        }
        assert_eq!(described::<ListenArgs>(), [("--listen".to_owned(), "KILLFLEET_LISTEN".to_owned(), false)]);
    }
}
