//! ESI: where it is, when it is shut, and how CCP can reach the people who run this fleet.

use std::ffi::OsString;

use clap::Args;
use domain::downtime::{self, Downtime, DowntimeError};
use url::Url;

use super::raw::{optional, required};
use super::{SettingError, names, web_address};

const DEFAULT_ESI_URL: &str = "https://esi.evetech.net";
const NO_DOWNTIME: &str = "off";

/// The flags and variables for ESI.
#[derive(Args, Clone)]
#[command(next_help_heading = "ESI")]
pub struct EsiArgs {
    #[arg(
        long,
        env = names::ESI_URL,
        value_name = "URL",
        help = "Address of ESI [default: https://esi.evetech.net]"
    )]
    esi_url: Option<OsString>,
    /// E-mail address for the User-Agent, where CCP can reach you (required)
    #[arg(long, env = names::CONTACT, value_name = "EMAIL")]
    contact: Option<OsString>,
    /// When EVE is shut every day, in UTC, or off [default: 11:00-11:05]
    #[arg(long, env = names::DOWNTIME, value_name = "HH:MM-HH:MM")]
    downtime: Option<OsString>,
}

/// What it takes to call ESI politely.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EsiSettings {
    pub esi_url: Url,
    /// Goes into the comment of a `User-Agent` header as it is.
    pub contact: String,
    /// From its beginning ESI is not called, until it says that it is open again.
    pub downtime: Option<Downtime>,
}

impl EsiArgs {
    /// # Errors
    /// There is no contact, it is no e-mail address, the address of ESI is one that tokens must not be sent to, or the
    /// downtime is none.
    pub fn resolve(&self) -> Result<EsiSettings, SettingError> {
        let esi_url = optional(names::ESI_URL, &self.esi_url)?.unwrap_or(DEFAULT_ESI_URL);
        let esi_url = web_address::parse(names::ESI_URL, esi_url, DEFAULT_ESI_URL)?;
        let remedy = "give an e-mail address where CCP can reach you, for it goes into the User-Agent of every request";
        let contact = required(names::CONTACT, &self.contact, remedy)?;
        if !is_email_address(contact) {
            return Err(SettingError::malformed(names::CONTACT, "is not an e-mail address", remedy));
        }
        Ok(EsiSettings { esi_url, contact: contact.to_owned(), downtime: self.downtime()? })
    }

    fn downtime(&self) -> Result<Option<Downtime>, SettingError> {
        match optional(names::DOWNTIME, &self.downtime)?.unwrap_or(downtime::USUAL) {
            NO_DOWNTIME => Ok(None),
            text => text.parse().map(Some).map_err(|error: DowntimeError| {
                SettingError::malformed(names::DOWNTIME, format!("cannot be {text:?}"), error.to_string())
            }),
        }
    }
}

/// Only as strict as the header needs: something on both sides of one `@`, and nothing that would end the comment.
fn is_email_address(text: &str) -> bool {
    let fits_the_header = text.bytes().all(|byte| byte.is_ascii_graphic() && !b"();,<>\"\\".contains(&byte));
    let has_two_parts =
        text.split_once('@').is_some_and(|(name, host)| !name.is_empty() && !host.is_empty() && !host.contains('@'));
    fits_the_header && has_two_parts
}

#[cfg(test)]
mod tests {
    use super::super::testing::{described, parse};
    use super::*;

    fn resolve(flags: &[&str]) -> Result<EsiSettings, String> {
        parse::<EsiArgs>(flags).resolve().map_err(|error| error.to_string())
    }

    #[test]
    fn a_contact_is_all_it_takes() {
        let settings = resolve(&["--contact", "ops+fleet@example.com"]).unwrap();
        assert_eq!(settings.esi_url.as_str(), "https://esi.evetech.net/");
        assert_eq!(settings.contact, "ops+fleet@example.com");
        let settings = resolve(&["--contact", "me@localhost", "--esi-url", "http://127.0.0.1:8080/"]).unwrap();
        assert_eq!(settings.esi_url.as_str(), "http://127.0.0.1:8080/");
    }

    #[test]
    fn no_contact_no_start() {
        let error = resolve(&[]).unwrap_err();
        assert!(error.starts_with("KILLFLEET_CONTACT is not set: give an e-mail address"), "{error}");
        for contact in ["me", "@example.com", "me@", "a@b@c", "me @example.com", "me@x)", "me@x;y", "Me <me@x>", "ü@x"]
        {
            let error = resolve(&["--contact", contact]).unwrap_err();
            assert!(error.starts_with("KILLFLEET_CONTACT is not an e-mail address: "), "{contact}: {error}");
        }
    }

    #[test]
    fn esi_is_never_called_in_the_clear() {
        let error = resolve(&["--contact", "me@example.com", "--esi-url", "http://esi.evetech.net"]).unwrap_err();
        assert!(error.starts_with("KILLFLEET_ESI_URL is plain http:// to another machine"), "{error}");
    }

    #[test]
    fn the_downtime_is_eves_own_unless_another_is_given() {
        let resolve = |flags: &[&str]| resolve(&[&["--contact", "me@example.com"], flags].concat());
        let usual = Some("11:00-11:05".parse().unwrap());
        assert_eq!(resolve(&[]).unwrap().downtime, usual);
        assert_eq!(resolve(&["--downtime", ""]).unwrap().downtime, usual);
        assert_eq!(resolve(&["--downtime", "off"]).unwrap().downtime, None);
        let other = resolve(&["--downtime", "23:55-00:20"]).unwrap().downtime;
        assert_eq!(other, Some("23:55-00:20".parse().unwrap()));
        let expected =
            "KILLFLEET_DOWNTIME cannot be \"11:00\": give two times of the day in UTC, such as 11:00-11:05, or off";
        assert_eq!(resolve(&["--downtime", "11:00"]).unwrap_err(), expected);
    }

    #[test]
    fn every_flag_has_its_variable() {
        let described: Vec<_> =
            described::<EsiArgs>().into_iter().map(|(flag, variable, _)| (flag, variable)).collect();
        assert_eq!(
            described,
            [
                ("--esi-url".to_owned(), "KILLFLEET_ESI_URL".to_owned()),
                ("--contact".to_owned(), "KILLFLEET_CONTACT".to_owned()),
                ("--downtime".to_owned(), "KILLFLEET_DOWNTIME".to_owned()),
            ]
        );
    }
}
