//! What can go wrong between us and the broker, classed where it is met.
//!
//! No variant holds the AMQP URL: its parser repeats it in its messages, password included, so that source is dropped.

use std::error::Error;
use std::fmt;
use std::io;
use std::time::Duration;

use domain::{Failure, FailureClass};
use lapin::ErrorKind;
use lapin::protocol::{AMQPErrorKind, AMQPHardError, AMQPSoftError};

/// A failure of the broker or of the way to it. `doing` says what we were at.
#[derive(Debug, thiserror::Error)]
pub enum BrokerError {
    #[error(
        "the AMQP URL cannot be read: it looks like amqp://user:password@host:5672/%2f or amqps://user:password@host:5671/%2f, special characters in user and password percent-encoded"
    )]
    InvalidUrl,
    #[error("no broker answers at {address}: is RabbitMQ running, and are host and port in the AMQP URL right?")]
    NotReachable {
        address: String,
        #[source]
        source: io::Error,
    },
    #[error(
        "the certificates of the authorities to trust cannot be read from {path:?}: check cacertfile in the AMQP URL"
    )]
    NoCertificates {
        path: String,
        #[source]
        source: io::Error,
    },
    #[error(
        "the certificate of the broker is not to be trusted: the authority that has issued it must be a public one or stand in the file that cacertfile in the AMQP URL names, and the host in the URL must be a name that the certificate holds"
    )]
    NotTrusted {
        #[source]
        source: Box<lapin::Error>,
    },
    #[error(
        "the broker refused us while {doing}: check user, password and virtual host in the AMQP URL (the virtual host '/' is written %2f) and the user's permissions in that virtual host"
    )]
    Refused {
        doing: &'static str,
        #[source]
        source: Box<lapin::Error>,
    },
    #[error(
        "queue {queue} exists with other arguments than this version gives it: when it is empty, delete it with `rabbitmqctl delete_queue {queue}` and it is made anew, or choose another queue prefix"
    )]
    ArgumentsDiffer {
        queue: String,
        #[source]
        source: Box<lapin::Error>,
    },
    #[error("{doing} took longer than {} s", limit.as_secs())]
    TimedOut { doing: &'static str, limit: Duration },
    /// The queue of these messages was deleted. The publisher declares it again with its next connection.
    #[error("{messages} messages came back from the broker because their queue does not exist")]
    NotRouted { messages: usize },
    /// What a queue at its length limit does.
    #[error("the broker did not take {messages} messages: their queue is full")]
    NotTaken { messages: usize },
    #[error("the broker stopped the deliveries of queue {queue}: it was deleted or has moved")]
    ConsumerCancelled { queue: String },
    #[error("the connection to the broker is lost")]
    ConnectionLost,
    #[error("{doing} failed")]
    Amqp {
        doing: &'static str,
        #[source]
        source: Box<lapin::Error>,
    },
}

impl BrokerError {
    /// What the caller can do about it: mend the settings, or try again.
    #[must_use]
    pub fn class(&self) -> FailureClass {
        match self {
            Self::InvalidUrl
            | Self::NoCertificates { .. }
            | Self::NotTrusted { .. }
            | Self::Refused { .. }
            | Self::ArgumentsDiffer { .. } => FailureClass::Configuration,
            Self::NotReachable { .. }
            | Self::TimedOut { .. }
            | Self::NotRouted { .. }
            | Self::NotTaken { .. }
            | Self::ConsumerCancelled { .. }
            | Self::ConnectionLost
            | Self::Amqp { .. } => FailureClass::Transient,
        }
    }

    /// In the form that rows and logs remember.
    #[must_use]
    pub fn failure(&self) -> Failure {
        Failure::is(self.class(), Chain(self).to_string())
    }

    /// RabbitMQ says ACCESS_REFUSED to a wrong password or a missing permission, NOT_ALLOWED to a virtual host that
    /// does not exist or that the user may not enter.
    pub(crate) fn from_lapin(doing: &'static str, source: lapin::Error) -> Self {
        let refused = matches!(
            protocol_error(&source),
            Some(AMQPErrorKind::Soft(AMQPSoftError::ACCESSREFUSED) | AMQPErrorKind::Hard(AMQPHardError::NOTALLOWED))
        );
        let source = Box::new(source);
        match refused {
            true => Self::Refused { doing, source },
            false if is_of_certificates(&source) => Self::NotTrusted { source },
            false => Self::Amqp { doing, source },
        }
    }

    /// For a declaration: PRECONDITION_FAILED there means that the queue exists and is not the one we asked for.
    pub(crate) fn for_declared_queue(self, queue: &str) -> Self {
        match self {
            Self::Amqp { source, .. }
                if matches!(protocol_error(&source), Some(AMQPErrorKind::Soft(AMQPSoftError::PRECONDITIONFAILED))) =>
            {
                Self::ArgumentsDiffer { queue: queue.to_owned(), source }
            }
            other => other,
        }
    }
}

fn is_of_certificates(error: &lapin::Error) -> bool {
    let ErrorKind::IOError(error) = error.kind() else { return false };
    let tls = error.get_ref().and_then(|error| error.downcast_ref::<rustls::Error>());
    matches!(tls, Some(rustls::Error::InvalidCertificate(_)))
}

fn protocol_error(error: &lapin::Error) -> Option<&AMQPErrorKind> {
    match error.kind() {
        ErrorKind::ProtocolError(error) => Some(error.kind()),
        _ => None,
    }
}

/// Writes an error and all that it came from in one line, for the log: `Display` of our errors leaves their source out.
/// Errors of lapin repeat theirs; what was said already is not said again.
pub(crate) struct Chain<'a>(pub(crate) &'a (dyn Error + Send + Sync));

impl fmt::Display for Chain<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut line = self.0.to_string();
        let mut source = self.0.source();
        while let Some(error) = source {
            let words = error.to_string();
            if !line.contains(&words) {
                line = format!("{line}: {words}");
            }
            source = error.source();
        }
        formatter.write_str(&line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_reads_in_one_line() {
        let source = io::Error::new(io::ErrorKind::ConnectionRefused, "connection refused");
        let error = BrokerError::NotReachable { address: "127.0.0.1:1".to_owned(), source };
        let line = Chain(&error).to_string();
        assert!(line.starts_with("no broker answers at 127.0.0.1:1"), "{line}");
        assert!(line.ends_with(": connection refused"), "{line}");
    }
}
