//! The rule for addresses that tokens are sent to: `https://`, or plain `http://` to this machine only.

use url::{Host, Url};

use super::SettingError;

/// `text` as an address, if a token may be sent there.
pub(super) fn parse(variable: &'static str, text: &str, example: &str) -> Result<Url, SettingError> {
    let refused =
        |problem: &str| Err(SettingError::malformed(variable, problem, format!("give an address such as {example}")));
    let Ok(url) = Url::parse(text) else { return refused("is not a URL") };
    // The value is not repeated in the messages: somebody may have put a password into it.
    if !url.username().is_empty() || url.password().is_some() {
        return refused("holds a user name or a password");
    }
    if url.query().is_some() || url.fragment().is_some() {
        return refused("has a part behind ? or #");
    }
    match url.scheme() {
        "https" => Ok(url),
        "http" if is_loopback(&url) => Ok(url),
        "http" => refused("is plain http:// to another machine, which would show tokens to everyone on the way"),
        _ => refused("is not an https:// URL"),
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> Result<String, String> {
        parse("KILLFLEET_X", text, "https://esi.example").map(String::from).map_err(|error| error.to_string())
    }

    #[test]
    fn https_goes_anywhere_http_stays_here() {
        for text in [
            "https://esi.evetech.net",
            "https://example.com:8443/base/",
            "http://127.0.0.1:8080",
            "http://127.9.9.9/",
            "http://[::1]:8080/",
            "http://localhost:8080/v2/",
            "http://LOCALHOST/",
        ] {
            assert!(check(text).is_ok(), "{text}: {:?}", check(text));
        }
    }

    #[test]
    fn everything_else_is_refused() {
        for (text, problem) in [
            ("esi.evetech.net", "is not a URL"),
            ("//esi.evetech.net", "is not a URL"),
            ("http://", "is not a URL"),
            ("ftp://esi.evetech.net", "is not an https:// URL"),
            ("localhost:8080", "is not an https:// URL"),
            ("http://esi.evetech.net", "is plain http:// to another machine"),
            ("http://10.0.0.1", "is plain http:// to another machine"),
            ("http://0.0.0.0", "is plain http:// to another machine"),
            ("http://localhost.example.com", "is plain http:// to another machine"),
            ("http://127.0.0.1.example.com", "is plain http:// to another machine"),
            ("http://esi-sim:8080", "is plain http:// to another machine"),
            ("https://me:hush@example.com", "holds a user name or a password"),
            ("http://127.0.0.1@example.com", "holds a user name or a password"),
            ("https://example.com/?a=b", "has a part behind ? or #"),
            ("https://example.com/#a", "has a part behind ? or #"),
        ] {
            let error = check(text).unwrap_err();
            assert!(error.starts_with(&format!("KILLFLEET_X {problem}")), "{text}: {error}");
            assert!(error.ends_with(": give an address such as https://esi.example"), "{text}: {error}");
            assert!(!error.contains("hush"), "{error}");
        }
    }
}
