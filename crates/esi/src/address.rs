//! Where requests may go: https anywhere, plain http to this machine only, because every request to EVE SSO carries
//! the client's secret and most to ESI a token. The same rule holds for addresses that a discovery document names.

use domain::{Failure, FailureClass};
use thiserror::Error;
use url::{Host, Url};

use crate::http::in_words;

/// Why an adapter could not be built. Always a matter of configuration.
#[derive(Debug, Error)]
pub enum BuildError {
    #[error("the contact must be plain text such as an e-mail address, without brackets: it stands in the User-Agent")]
    Contact,
    #[error("the client id must be plain text without a colon or a space")]
    ClientId,
    /// `what` names the address: "the ESI address", "the token address".
    #[error("{what} cannot be used: {why}")]
    Address { what: &'static str, why: UnsafeAddress },
    #[error("the HTTP client could not be built")]
    Client(#[source] reqwest::Error),
}

impl BuildError {
    /// In the form that a process reports.
    #[must_use]
    pub fn failure(&self) -> Failure {
        let reason = match self {
            Self::Client(source) => format!("{self}: {}", in_words(source)),
            other => other.to_string(),
        };
        Failure::is(FailureClass::Configuration, reason)
    }
}

/// Why we will not send anything to an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum UnsafeAddress {
    #[error("plain http:// is allowed to this machine only, use https://")]
    PlainHttp,
    #[error("it must begin with https:// and name a host")]
    NotHttps,
    #[error("it must not hold a user name or a password")]
    Credentials,
    #[error("it must not hold a query or a fragment")]
    Query,
}

/// An address from the settings.
pub(crate) fn configured(what: &'static str, url: Url) -> Result<Url, BuildError> {
    checked(url).map_err(|why| BuildError::Address { what, why })
}

pub(crate) fn checked(url: Url) -> Result<Url, UnsafeAddress> {
    let to_this_machine = match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => return Err(UnsafeAddress::NotHttps),
    };
    match url.scheme() {
        "https" => {}
        "http" if to_this_machine => {}
        "http" => return Err(UnsafeAddress::PlainHttp),
        _ => return Err(UnsafeAddress::NotHttps),
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(UnsafeAddress::Credentials);
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(UnsafeAddress::Query);
    }
    Ok(url)
}

/// `base` must have passed [`checked`]. The result has no trailing slash.
pub(crate) fn below(base: &Url, segments: &[&str]) -> Url {
    let mut url = base.clone();
    url.path_segments_mut().expect("https and http addresses always have a path").pop_if_empty().extend(segments);
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_goes_to_this_machine_only() {
        let cases = [
            ("https://esi.evetech.net", Ok(())),
            ("https://esi.evetech.net/below/", Ok(())),
            ("http://127.0.0.1:8080", Ok(())),
            ("http://127.9.9.9", Ok(())),
            ("http://[::1]:80/sso", Ok(())),
            ("http://localhost:1", Ok(())),
            ("http://LOCALHOST", Ok(())),
            ("http://esi.evetech.net", Err(UnsafeAddress::PlainHttp)),
            ("http://localhost.example.org", Err(UnsafeAddress::PlainHttp)),
            ("http://127.0.0.1.example.org", Err(UnsafeAddress::PlainHttp)),
            ("http://10.0.0.1", Err(UnsafeAddress::PlainHttp)),
            ("http://0.0.0.0", Err(UnsafeAddress::PlainHttp)),
            ("ftp://localhost", Err(UnsafeAddress::NotHttps)),
            ("mailto:somebody@example.org", Err(UnsafeAddress::NotHttps)),
            ("file:///etc/passwd", Err(UnsafeAddress::NotHttps)),
            ("https://user:secret@esi.evetech.net", Err(UnsafeAddress::Credentials)),
            ("https://esi.evetech.net/?datasource=tranquility", Err(UnsafeAddress::Query)),
        ];
        for (text, expected) in cases {
            assert_eq!(checked(Url::parse(text).unwrap()).map(|_| ()), expected, "{text}");
        }
    }

    #[test]
    fn paths_are_joined_without_a_trailing_slash() {
        for base in ["http://localhost/base", "http://localhost/base/"] {
            let url = below(&Url::parse(base).unwrap(), &["characters", "7", "killmails", "recent"]);
            assert_eq!(url.as_str(), "http://localhost/base/characters/7/killmails/recent");
        }
    }
}
