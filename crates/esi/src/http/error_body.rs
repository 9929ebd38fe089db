//! What an error answer says, read leniently: ESI, EVE SSO and what stands in front of them send JSON of several
//! forms, plain text, HTML pages and nothing at all, with any status.

use reqwest::header::HeaderMap;
use serde_json::Value;

use super::headers;
use super::redact::Redactor;

/// The texts are as they came: quote them through [`ErrorBody::told`] only.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct ErrorBody {
    /// Member `error` of a JSON body: a sentence from ESI, a code from an OAuth token endpoint.
    pub(crate) error: Option<String>,
    /// Member `error_description` (OAuth), `message` or `Message` (older parts of EVE SSO), or a body of plain text.
    pub(crate) description: Option<String>,
    /// ESI adds it when the trouble was EVE SSO's.
    pub(crate) sso_status: Option<i64>,
    /// A page made for people: not the words of an API, whatever its status.
    pub(crate) is_html: bool,
}

impl ErrorBody {
    pub(super) fn read(answer_headers: &HeaderMap, body: &[u8]) -> Self {
        if let Ok(Value::Object(members)) = serde_json::from_slice(body) {
            let text = |name: &str| members.get(name).and_then(Value::as_str).map(str::to_owned);
            return Self {
                error: text("error"),
                description: text("error_description").or_else(|| text("message")).or_else(|| text("Message")),
                sso_status: members.get("sso_status").and_then(Value::as_i64),
                is_html: false,
            };
        }
        let text = String::from_utf8_lossy(body);
        let text = text.trim_start_matches('\u{feff}').trim();
        let declared_html = headers::text(answer_headers, "content-type").is_some_and(|kind| kind.contains("html"));
        if text.starts_with('<') || (declared_html && !text.is_empty()) {
            return Self { is_html: true, ..Self::default() };
        }
        Self { description: (!text.is_empty()).then(|| text.to_owned()), ..Self::default() }
    }

    pub(crate) fn says(&self, words: &str) -> bool {
        [&self.error, &self.description].into_iter().flatten().any(|text| text.contains(words))
    }

    /// One bounded line without secrets, for errors and logs.
    pub(crate) fn told(&self, redactor: &Redactor<'_>) -> String {
        match (&self.error, &self.description) {
            (Some(error), Some(description)) => redactor.clean(&format!("{error}: {description}")),
            (Some(text), None) | (None, Some(text)) => redactor.clean(text),
            (None, None) if self.is_html => "an HTML page".to_owned(),
            (None, None) => "no readable reason".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(content_type: &str, body: &str) -> ErrorBody {
        let mut headers = HeaderMap::new();
        headers.insert("content-type", content_type.parse().unwrap());
        ErrorBody::read(&headers, body.as_bytes())
    }

    fn told(content_type: &str, body: &str) -> String {
        read(content_type, body).told(&Redactor::of([]))
    }

    #[test]
    fn table_of_error_bodies() {
        let json = "application/json";
        let cases = [
            (json, r#"{"error":"Timeout contacting tranquility","timeout":10}"#, "Timeout contacting tranquility"),
            (json, r#"{"error":"invalid_grant","error_description":"Gone."}"#, "invalid_grant: Gone."),
            (json, r#"{"Message":"An error has occurred."}"#, "An error has occurred."),
            (json, r#"{"error":{"code":3}}"#, "no readable reason"),
            (json, "{}", "no readable reason"),
            (json, "", "no readable reason"),
            ("text/html", "", "no readable reason"),
            (json, r#"{"error":"cut o"#, r#"{"error":"cut o"#),
            (json, "\u{feff}<!doctype html>", "an HTML page"),
            (json, " <html><body>Bad Gateway</body></html>", "an HTML page"),
            ("text/html; charset=utf-8", "Bad Gateway", "an HTML page"),
            ("text/plain", "Internal server error. Error ref: 92e9", "Internal server error. Error ref: 92e9"),
            ("text/plain", "two\r\nlines", "two  lines"),
        ];
        for (content_type, body, expected) in cases {
            assert_eq!(told(content_type, body), expected, "{content_type} {body:?}");
        }
        assert_eq!(read(json, r#"{"error":"expired","sso_status":400}"#).sso_status, Some(400));
    }

    proptest! {
        /// An endpoint that says what it was sent, in JSON of some form, in a page, or in plain text.
        #[test]
        fn what_is_told_is_one_short_line_without_the_secret(
            secret in "[A-Za-z0-9+/_.=-]{8,60}",
            words in any::<(String, String)>(),
            form in 0..5_u8,
        ) {
            let said = format!("{}{secret}{}", words.0, words.1);
            let body = match form {
                0 => serde_json::json!({ "error": said, "error_description": words.0 }).to_string(),
                1 => serde_json::json!({ "error": words.1, "message": said }).to_string(),
                2 => serde_json::json!({ "Message": said, "sso_status": 400 }).to_string(),
                3 => format!("<html>{said}"),
                _ => said,
            };
            let sent = secrecy::SecretString::from(secret.clone());
            let told = ErrorBody::read(&HeaderMap::new(), body.as_bytes()).told(&Redactor::of([&sent]));
            prop_assert!(!told.contains(&secret) && !told.contains(char::is_control), "{:?}", told);
            prop_assert!(told.chars().count() <= 200);
        }

        #[test]
        fn any_bytes_are_some_error(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let told = ErrorBody::read(&HeaderMap::new(), &bytes).told(&Redactor::of([]));
            prop_assert!(told.chars().count() <= 200 && !told.contains(char::is_control), "{:?}", told);
        }
    }
}
