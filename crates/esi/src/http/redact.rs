//! Words of the other side, made fit for an error or a log line: without the secrets that we sent, without control
//! characters, and short.

use std::borrow::Cow;

use secrecy::{ExposeSecret, SecretString};
use url::form_urlencoded::byte_serialize;

/// Characters of a quoted text.
const QUOTED_MAX: usize = 200;
const CUT: &str = "[cut]";

/// Knows the secrets of one request. An endpoint that echoes its input would otherwise write them into our logs.
pub(crate) struct Redactor<'a>(Vec<Cow<'a, str>>);

impl<'a> Redactor<'a> {
    pub(crate) fn of(secrets: impl IntoIterator<Item = &'a SecretString>) -> Self {
        let mut forms: Vec<Cow<'a, str>> = Vec::new();
        for secret in secrets.into_iter().map(ExposeSecret::expose_secret).filter(|secret| !secret.is_empty()) {
            let encoded: String = byte_serialize(secret.as_bytes()).collect();
            forms.push(Cow::Borrowed(secret));
            // The forms in which it travels or comes back: encoded, encoded in lower case, JSON inside a text, and
            // with its plus signs read as spaces.
            forms.push(Cow::Owned(encoded.replace("%2B", "%2b").replace("%2F", "%2f").replace("%3D", "%3d")));
            forms.push(Cow::Owned(encoded));
            forms.push(Cow::Owned(secret.replace('/', "\\/")));
            forms.push(Cow::Owned(secret.replace('+', " ")));
        }
        Self(forms)
    }

    /// The secrets go before the text is shortened, so that no half of one is left at the edge.
    pub(crate) fn clean(&self, text: &str) -> String {
        let mut text = Cow::Borrowed(text);
        for form in &self.0 {
            if text.contains(form.as_ref()) {
                text = Cow::Owned(text.replace(form.as_ref(), CUT));
            }
        }
        bounded(&text)
    }
}

/// One line of at most [`QUOTED_MAX`] characters.
pub(crate) fn bounded(text: &str) -> String {
    let mut characters = text.chars().map(|character| if character.is_control() { ' ' } else { character });
    let mut line: String = characters.by_ref().take(QUOTED_MAX).collect();
    if characters.next().is_some() {
        line.pop();
        line.push('…');
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_form_of_a_secret_is_left() {
        let secret = SecretString::from("ab+cd/ef==");
        let redactor = Redactor::of([&secret]);
        for echoed in ["ab+cd/ef==", "ab%2Bcd%2Fef%3D%3D", "ab%2bcd%2fef%3d%3d", "ab+cd\\/ef==", "ab cd/ef=="] {
            assert_eq!(redactor.clean(&format!("bad token {echoed}, sorry")), "bad token [cut], sorry");
        }
        // It begins before the edge and ends behind it.
        let edge = format!("{}ab+cd/ef==", "x".repeat(QUOTED_MAX - 5));
        assert!(!redactor.clean(&edge).contains("ab"));
        assert_eq!(Redactor::of([&SecretString::from("")]).clean("kept"), "kept");
    }

    #[test]
    fn lines_are_short() {
        assert_eq!(bounded("a\r\n\u{1b}[31mb"), "a   [31mb");
        let long = bounded(&"ä".repeat(500));
        assert_eq!(long.chars().count(), QUOTED_MAX);
        assert!(long.ends_with('…'));
    }
}
