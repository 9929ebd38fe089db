//! What a process has to know to reach its queues: the address, and the word in front of all queue names.

use std::fmt;

use secrecy::SecretString;
use thiserror::Error;

/// Where the broker is and what our queues and connections are called there.
#[derive(Debug, Clone)]
pub struct BrokerSettings {
    /// `amqp://` or `amqps://`, with user and password: never logged.
    pub amqp_url: SecretString,
    pub queue_prefix: QueuePrefix,
    /// What the broker's operator sees in the list of connections, such as `killfleet-worker`.
    pub connection_name: String,
}

/// RabbitMQ allows 255 bytes for a queue name; this leaves room for `.v1.` and what follows.
const LONGEST_PREFIX_BYTES: usize = 100;

/// The word in front of all queue names, so that several fleets can share a broker.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct QueuePrefix(String);

/// Why a text cannot stand in front of queue names.
#[derive(Debug, Error, PartialEq, Eq)]
#[error(
    "a queue prefix has 1 to {LONGEST_PREFIX_BYTES} letters, digits, '-', '_' and '.', and does not begin with 'amq.'"
)]
pub struct InvalidQueuePrefix;

impl QueuePrefix {
    /// # Errors
    /// [`InvalidQueuePrefix`] says what is allowed. `amq.` is what RabbitMQ keeps for its own names.
    pub fn parse(text: &str) -> Result<Self, InvalidQueuePrefix> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        let fits = (1..=LONGEST_PREFIX_BYTES).contains(&text.len());
        if fits && text.bytes().all(allowed) && !text.starts_with("amq.") {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidQueuePrefix)
        }
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for QueuePrefix {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_are_plain_words() {
        let longest = "a".repeat(LONGEST_PREFIX_BYTES);
        for text in ["killfleet", "Fleet-2_test.blue", "a", &longest] {
            assert_eq!(QueuePrefix::parse(text).map(|prefix| prefix.to_string()), Ok(text.to_owned()));
        }
        for text in ["", "two words", "flotte-für-alle", "amq.killfleet", "line\nbreak", &format!("{longest}a")] {
            assert_eq!(QueuePrefix::parse(text), Err(InvalidQueuePrefix), "{text:?}");
        }
    }
}
