//! What the model says to one request, before any HTTP library sees it.
//!
//! The rule: an answer is a value. How it travels (whole, cut in half, not at all) is part of it, so that the faces
//! decide nothing.

use serde_json::json;

/// How much of an answer reaches the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// All of it.
    Whole,
    /// The head, which promises the full length, and half of the body; then the connection is closed.
    CutInHalf,
    /// Nothing: the connection is closed.
    Nothing,
}

/// One answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Names and values, in the order in which they were set.
    pub headers: Vec<(String, String)>,
    /// The body; empty for 304.
    pub body: String,
    /// How it travels.
    pub delivery: Delivery,
}

impl Answer {
    /// An answer without a body.
    #[must_use]
    pub fn empty(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: String::new(), delivery: Delivery::Whole }
    }

    /// A JSON answer; `body` is the finished text.
    #[must_use]
    pub fn json(status: u16, body: impl Into<String>) -> Self {
        Self::text(status, "application/json", body)
    }

    /// An answer of any content type.
    #[must_use]
    pub fn text(status: u16, content_type: &str, body: impl Into<String>) -> Self {
        let mut answer = Self::empty(status);
        answer.set("Content-Type", content_type);
        answer.body = body.into();
        answer
    }

    /// ESI's form of an error: `{"error":"…"}`.
    #[must_use]
    pub fn error(status: u16, message: &str) -> Self {
        Self::json(status, json!({ "error": message }).to_string())
    }

    /// SSO's form of an error: `{"error":"…","error_description":"…"}`.
    #[must_use]
    pub fn sso_error(status: u16, code: &str, description: &str) -> Self {
        let code = json!(code);
        let description = json!(description);
        Self::json(status, format!(r#"{{"error":{code},"error_description":{description}}}"#))
    }

    /// The connection is closed and nothing is said.
    #[must_use]
    pub fn nothing() -> Self {
        Self { delivery: Delivery::Nothing, ..Self::empty(0) }
    }

    /// Sets a header, in place of an earlier one of that name.
    pub fn set(&mut self, name: &str, value: impl Into<String>) {
        self.headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
        self.headers.push((name.to_owned(), value.into()));
    }

    /// Sets a header unless there is one of that name.
    pub fn set_if_absent(&mut self, name: &str, value: impl Into<String>) {
        if self.header(name).is_none() {
            self.set(name, value);
        }
    }

    /// The value of a header, whatever the case of its name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}
