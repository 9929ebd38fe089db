//! Where the broker is, and what our queues there are called.

use std::ffi::OsString;

use clap::Args;
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::raw::{SecretSetting, optional};
use super::{SettingError, names};

const SETTING: SecretSetting = SecretSetting {
    variable: names::AMQP_URL,
    file_variable: names::AMQP_URL_FILE,
    remedy: "give it as amqp://user:password@host:5672/%2f",
};

const DEFAULT_QUEUE_PREFIX: &str = "killfleet";
/// Leaves room for lane and version in the 255 bytes that AMQP 0-9-1 allows a queue name.
const QUEUE_PREFIX_BYTES_MAX: usize = 100;

/// The flags and variables for RabbitMQ.
#[derive(Args, Clone)]
#[command(next_help_heading = "Broker")]
pub struct BrokerArgs {
    /// Address of RabbitMQ, amqp:// or amqps://user:password@host:5672/%2f (required)
    #[arg(long, env = names::AMQP_URL, hide_env_values = true, value_name = "URL")]
    amqp_url: Option<OsString>,
    /// A file that holds the address of RabbitMQ
    #[arg(long, env = names::AMQP_URL_FILE, value_name = "PATH")]
    amqp_url_file: Option<OsString>,
    /// First part of the names of all queues [default: killfleet]
    #[arg(long, env = names::QUEUE_PREFIX, value_name = "NAME")]
    queue_prefix: Option<OsString>,
}

/// What it takes to reach the queues.
#[derive(Debug, Clone)]
pub struct BrokerSettings {
    /// An `amqp://` or `amqps://` URL, which may hold a password.
    pub amqp_url: SecretString,
    /// Letters, digits, dots, hyphens and underscores.
    pub queue_prefix: String,
}

impl BrokerArgs {
    /// # Errors
    /// The address is missing, unreadable or another kind of address, or the prefix cannot be part of a queue name.
    pub fn resolve(&self) -> Result<BrokerSettings, SettingError> {
        self.with(SETTING.read(&self.amqp_url, &self.amqp_url_file)?)
    }

    /// As [`BrokerArgs::resolve`], where there may be no broker: none without an address.
    ///
    /// # Errors
    /// As [`BrokerArgs::resolve`], but for a missing address.
    pub fn resolve_if_given(&self) -> Result<Option<BrokerSettings>, SettingError> {
        SETTING.read_optional(&self.amqp_url, &self.amqp_url_file)?.map(|amqp_url| self.with(amqp_url)).transpose()
    }

    fn with(&self, amqp_url: SecretString) -> Result<BrokerSettings, SettingError> {
        let is_ours = Url::parse(amqp_url.expose_secret())
            .is_ok_and(|url| matches!(url.scheme(), "amqp" | "amqps") && url.has_host());
        if !is_ours {
            return Err(SettingError::malformed(
                SETTING.variable,
                "is not an amqp:// or amqps:// URL",
                format!("{}, with %-escapes for special characters in the password", SETTING.remedy),
            ));
        }
        let queue_prefix = optional(names::QUEUE_PREFIX, &self.queue_prefix)?.unwrap_or(DEFAULT_QUEUE_PREFIX);
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
        if queue_prefix.len() > QUEUE_PREFIX_BYTES_MAX || !queue_prefix.bytes().all(is_allowed) {
            return Err(SettingError::malformed(
                names::QUEUE_PREFIX,
                "cannot be part of a queue name",
                format!("give at most {QUEUE_PREFIX_BYTES_MAX} letters, digits, dots, hyphens or underscores"),
            ));
        }
        Ok(BrokerSettings { amqp_url, queue_prefix: queue_prefix.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{TemporaryFile, described, parse};
    use super::*;

    fn resolve(flags: &[&str]) -> Result<BrokerSettings, String> {
        parse::<BrokerArgs>(flags).resolve().map_err(|error| error.to_string())
    }

    #[test]
    fn amqp_addresses_pass_unchanged() {
        for url in ["amqp://guest:guest@127.0.0.1:5672/%2f", "amqps://mq.example.com/killfleet", "amqp://localhost"] {
            let settings = resolve(&["--amqp-url", url]).unwrap();
            assert_eq!(settings.amqp_url.expose_secret(), url);
            assert_eq!(settings.queue_prefix, "killfleet");
        }
        let file = TemporaryFile::with("amqp://a:b@c\n");
        let settings = resolve(&["--amqp-url-file", file.path(), "--queue-prefix", "fleet-2.test_x"]).unwrap();
        assert_eq!(settings.amqp_url.expose_secret(), "amqp://a:b@c");
        assert_eq!(settings.queue_prefix, "fleet-2.test_x");
    }

    #[test]
    fn missing_and_malformed_are_named_without_the_value() {
        assert!(parse::<BrokerArgs>(&[]).resolve_if_given().unwrap().is_none());
        assert_eq!(
            resolve(&[]).unwrap_err(),
            "KILLFLEET_AMQP_URL is not set: give it as amqp://user:password@host:5672/%2f"
        );
        for url in ["hush", "http://u:hush@h", "amqp:hush", "amqp://"] {
            let error = resolve(&["--amqp-url", url]).unwrap_err();
            assert!(error.starts_with("KILLFLEET_AMQP_URL is not an amqp:// or amqps:// URL: "), "{url}: {error}");
            assert!(!error.contains("hush"), "{error}");
        }
        let long = "x".repeat(101);
        for prefix in ["kill fleet", "flotte/é", "a\nb", long.as_str()] {
            let error = resolve(&["--amqp-url", "amqp://h", "--queue-prefix", prefix]).unwrap_err();
            assert!(error.starts_with("KILLFLEET_QUEUE_PREFIX cannot be part of a queue name: "), "{error}");
        }
    }

    #[test]
    fn printed_settings_hide_the_address() {
        let printed = format!("{:?}", resolve(&["--amqp-url", "amqp://u:hush@h"]).unwrap());
        assert!(!printed.contains("hush"), "{printed}");
        let hidden: Vec<_> = described::<BrokerArgs>().into_iter().filter(|(_, _, hidden)| *hidden).collect();
        assert_eq!(hidden, [("--amqp-url".to_owned(), "KILLFLEET_AMQP_URL".to_owned(), true)]);
    }
}
