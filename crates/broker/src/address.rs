//! The AMQP URL, taken apart once: whom to ask, as whom, over what.
//!
//! The password stays inside; this type has no `Debug`.

use std::{fs, io};

use lapin::tcp::OwnedTLSConfig;
use lapin::uri::{AMQPScheme, AMQPUri};
use secrecy::{ExposeSecret, SecretString};
use url::{Host, Url};

use crate::error::BrokerError;

/// Seconds. lapin gives a silent broker up after twice this, the broker gives us up after three times: then our
/// deliveries go to another worker. The server's own default is a minute, which is long for that.
const HEARTBEAT_SECONDS: u16 = 10;

/// The parameter of the URL that names a file of certificates, as RabbitMQ's own clients call it:
/// <https://www.rabbitmq.com/docs/uri-query-parameters>.
const CA_PARAMETER: &str = "cacertfile";

/// Where the broker is, with the credentials for it.
#[derive(Clone)]
pub(crate) struct Address {
    uri: AMQPUri,
    /// Who is trusted beside the public authorities: certificates as PEM.
    trusted: Option<String>,
}

impl Address {
    /// # Errors
    /// [`BrokerError::InvalidUrl`], without the parser's own words: they repeat the password.
    /// [`BrokerError::NoCertificates`].
    pub(crate) fn parse(amqp_url: &SecretString) -> Result<Self, BrokerError> {
        let text = amqp_url.expose_secret();
        let mut uri: AMQPUri = text.parse().map_err(|_| BrokerError::InvalidUrl)?;
        let url = Url::parse(text).map_err(|_| BrokerError::InvalidUrl)?;
        if let Some(Host::Ipv6(address)) = url.host() {
            // lapin takes only names and IPv4 from a URL and would quietly go to localhost.
            uri.authority.host = address.to_string();
        }
        uri.query.heartbeat.get_or_insert(HEARTBEAT_SECONDS);
        let path = url.query_pairs().find(|(name, _)| name == CA_PARAMETER).map(|(_, path)| path.into_owned());
        Ok(Self { uri, trusted: path.map(certificates).transpose()? })
    }

    pub(crate) fn uri(&self) -> AMQPUri {
        self.uri.clone()
    }

    pub(crate) fn tls(&self) -> OwnedTLSConfig {
        OwnedTLSConfig { identity: None, cert_chain: self.trusted.clone() }
    }

    /// Host name or IP address, and port.
    pub(crate) fn host_and_port(&self) -> (&str, u16) {
        (&self.uri.authority.host, self.uri.authority.port)
    }

    /// For messages: no user, no password.
    pub(crate) fn shown(&self) -> String {
        let (host, port) = self.host_and_port();
        if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
    }

    pub(crate) fn is_encrypted(&self) -> bool {
        self.uri.scheme == AMQPScheme::AMQPS
    }
}

fn certificates(path: String) -> Result<String, BrokerError> {
    let is_pem = |text: &String| text.contains("-----BEGIN CERTIFICATE-----");
    let no_pem = || io::Error::new(io::ErrorKind::InvalidData, "it holds no certificate in the form PEM");
    let read = fs::read_to_string(&path).and_then(|text| if is_pem(&text) { Ok(text) } else { Err(no_pem()) });
    read.map_err(|source| BrokerError::NoCertificates { path, source })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Address, BrokerError> {
        Address::parse(&SecretString::from(text))
    }

    #[test]
    fn addresses_are_read_as_written() {
        let cases = [
            ("amqp://guest:guest@127.0.0.1:5672/%2f", "127.0.0.1:5672", "/", false),
            ("amqp://queue.example", "queue.example:5672", "/", false),
            ("amqps://fleet:p%40ss@queue.example/fleet", "queue.example:5671", "fleet", true),
            ("amqp://guest:guest@[::1]:5673/%2f", "[::1]:5673", "/", false),
        ];
        for (text, shown, virtual_host, encrypted) in cases {
            let address = parse(text).unwrap();
            assert_eq!(address.shown(), shown, "{text}");
            assert_eq!(address.uri().vhost, virtual_host, "{text}");
            assert_eq!(address.is_encrypted(), encrypted, "{text}");
        }
    }

    #[test]
    fn the_heartbeat_of_the_url_wins() {
        assert_eq!(parse("amqp://localhost").unwrap().uri().query.heartbeat, Some(HEARTBEAT_SECONDS));
        assert_eq!(parse("amqp://localhost/%2f?heartbeat=30").unwrap().uri().query.heartbeat, Some(30));
    }

    #[test]
    fn a_file_without_certificates_is_named_without_the_password() {
        for path in ["/no/such/file", "/dev/null"] {
            let text = format!("amqps://fleet:hunter2@queue.example/%2f?cacertfile={path}");
            let Err(error) = parse(&text) else { panic!("{path} was taken") };
            let reason = error.failure().reason;
            assert!(matches!(error, BrokerError::NoCertificates { .. }) && reason.contains(path), "{reason}");
            assert!(!format!("{reason} {error:?}").contains("hunter2"));
        }
    }

    #[test]
    fn what_is_no_amqp_url_is_refused_without_its_password() {
        for text in
            ["", "127.0.0.1:5672", "http://guest:hunter2@localhost/", "amqp:hunter2", "amqp://a:hunter2@h:99999/"]
        {
            let Err(error) = parse(text) else { panic!("{text} was taken") };
            assert!(matches!(error, BrokerError::InvalidUrl));
            assert!(!format!("{error} {error:?}").contains("hunter2"));
        }
    }
}
