//! What it takes for a process to give access tokens to sibling services: a secret, and a way that nobody can listen to.

use std::ffi::OsString;
use std::net::SocketAddr;

use clap::Args;
use secrecy::{ExposeSecret, SecretString};

use super::raw::{SecretSetting, optional};
use super::{SettingError, names};

const SECRET_REMEDY: &str = "give one of 32 to 256 letters, digits and signs, as `openssl rand -hex 32` makes them";
const SECRET: SecretSetting = SecretSetting {
    variable: names::TOKEN_API_SECRET,
    file_variable: names::TOKEN_API_SECRET_FILE,
    remedy: SECRET_REMEDY,
};
const SECRET_CHARACTERS_MIN: usize = 32;
const SECRET_CHARACTERS_MAX: usize = 256;

/// The flags and variables for giving out tokens.
#[derive(Args, Clone)]
#[command(next_help_heading = "Tokens for sibling services")]
pub struct TokenApiArgs {
    /// Secret that sibling services send to get access tokens from the address of --listen [default: none are given]
    #[arg(long, env = names::TOKEN_API_SECRET, hide_env_values = true, value_name = "SECRET")]
    token_api_secret: Option<OsString>,
    /// A file that holds the secret
    #[arg(long, env = names::TOKEN_API_SECRET_FILE, value_name = "PATH")]
    token_api_secret_file: Option<OsString>,
    /// `yes` if a proxy that terminates TLS stands in front of an address that is not this machine's own [default: no]
    #[arg(long, env = names::TOKEN_API_BEHIND_TLS, value_name = "YES|NO")]
    token_api_behind_tls: Option<OsString>,
}

impl TokenApiArgs {
    /// `None`: no tokens are given. `listen` is where they would be.
    ///
    /// # Errors
    /// The secret is malformed, or it would go over the network in the clear.
    pub fn resolve(&self, listen: Option<SocketAddr>) -> Result<Option<SecretString>, SettingError> {
        let behind_tls = self.behind_tls()?;
        let Some(secret) = SECRET.read_optional(&self.token_api_secret, &self.token_api_secret_file)? else {
            return Ok(None);
        };
        let length = secret.expose_secret().len();
        let refused = |problem: String| SettingError::malformed(names::TOKEN_API_SECRET, problem, SECRET_REMEDY);
        if !(SECRET_CHARACTERS_MIN..=SECRET_CHARACTERS_MAX).contains(&length) {
            return Err(refused(format!("has {length} characters")));
        }
        // It has to fit into a header.
        if !secret.expose_secret().bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(refused("holds something else than letters, digits and signs".to_owned()));
        }
        match listen {
            Some(address) if !address.ip().to_canonical().is_loopback() && !behind_tls => Err(SettingError::malformed(
                names::LISTEN,
                format!("is {address}, where tokens would go over the network in the clear"),
                format!(
                    "give an address of this machine such as 127.0.0.1:9464, or set {}=yes if a proxy that terminates TLS \
                     stands in front, or unset {}",
                    names::TOKEN_API_BEHIND_TLS,
                    names::TOKEN_API_SECRET
                ),
            )),
            _ => Ok(Some(secret)),
        }
    }

    fn behind_tls(&self) -> Result<bool, SettingError> {
        match optional(names::TOKEN_API_BEHIND_TLS, &self.token_api_behind_tls)? {
            None | Some("no") => Ok(false),
            Some("yes") => Ok(true),
            Some(text) => Err(SettingError::malformed(
                names::TOKEN_API_BEHIND_TLS,
                format!("cannot be {text:?}"),
                "give yes or no, or leave it unset",
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{TemporaryFile, described, parse};
    use super::*;

    const GOOD: &str = "0123456789abcdef0123456789abcdef";

    fn resolve(flags: &[&str], listen: Option<&str>) -> Result<Option<String>, String> {
        let listen = listen.map(|address| address.parse().unwrap());
        let secret = parse::<TokenApiArgs>(flags).resolve(listen);
        secret.map(|secret| secret.map(|secret| secret.expose_secret().to_owned())).map_err(|error| error.to_string())
    }

    #[test]
    fn without_a_secret_nothing_is_given() {
        for listen in [None, Some("127.0.0.1:9464"), Some("0.0.0.0:9464")] {
            assert_eq!(resolve(&[], listen), Ok(None));
            assert_eq!(resolve(&["--token-api-secret", "", "--token-api-behind-tls", ""], listen), Ok(None));
        }
    }

    #[test]
    fn a_secret_is_long_and_fits_into_a_header() {
        let file = TemporaryFile::with(&format!("{GOOD}\n"));
        for flags in [["--token-api-secret", GOOD], ["--token-api-secret-file", file.path()]] {
            assert_eq!(resolve(&flags, None), Ok(Some(GOOD.to_owned())));
        }
        for (secret, problem) in [
            (&GOOD[1..], "KILLFLEET_TOKEN_API_SECRET has 31 characters: give one of 32"),
            (&GOOD.repeat(9), "KILLFLEET_TOKEN_API_SECRET has 288 characters: give one of 32"),
            ("0123456789abcdef 0123456789abcdef", "KILLFLEET_TOKEN_API_SECRET holds something else"),
            ("ä0123456789abcdef0123456789abcdef", "KILLFLEET_TOKEN_API_SECRET holds something else"),
        ] {
            let error = resolve(&["--token-api-secret", secret], None).unwrap_err();
            assert!(error.starts_with(problem) && !error.contains("cdef"), "{error}");
        }
    }

    #[test]
    fn it_does_not_go_over_the_network_in_the_clear() {
        let with = |flags: &[&str], listen| resolve(&[&["--token-api-secret", GOOD], flags].concat(), Some(listen));
        for loopback in ["127.0.0.1:0", "127.1.2.3:80", "[::1]:9464", "[::ffff:127.0.0.1]:9464"] {
            assert_eq!(with(&[], loopback), Ok(Some(GOOD.to_owned())));
        }
        for other in ["0.0.0.0:9464", "[::]:9464", "192.0.2.1:9464", "[::ffff:192.0.2.1]:9464"] {
            let error = with(&["--token-api-behind-tls", "no"], other).unwrap_err();
            assert!(error.starts_with(&format!("KILLFLEET_LISTEN is {other}, where tokens would go")), "{error}");
            assert!(error.contains("KILLFLEET_TOKEN_API_BEHIND_TLS=yes") && !error.contains(GOOD), "{error}");
            assert_eq!(with(&["--token-api-behind-tls", "yes"], other), Ok(Some(GOOD.to_owned())));
        }
        let error = resolve(&["--token-api-behind-tls", "true"], None).unwrap_err();
        assert_eq!(error, "KILLFLEET_TOKEN_API_BEHIND_TLS cannot be \"true\": give yes or no, or leave it unset");
    }

    #[test]
    fn every_flag_has_its_variable() {
        let described = described::<TokenApiArgs>();
        let names: Vec<_> = described.into_iter().map(|(_, variable, is_hidden)| (variable, is_hidden)).collect();
        let expected = [
            ("KILLFLEET_TOKEN_API_SECRET", true),
            ("KILLFLEET_TOKEN_API_SECRET_FILE", false),
            ("KILLFLEET_TOKEN_API_BEHIND_TLS", false),
        ];
        assert_eq!(names, expected.map(|(name, is_hidden)| (name.to_owned(), is_hidden)));
    }
}
