//! The parameters of a form or of a query.

use std::borrow::Cow;
use std::collections::HashMap;

/// By name; the last one of a name counts. No `Debug`: it holds tokens.
pub(super) struct Form<'text>(HashMap<Cow<'text, str>, Cow<'text, str>>);

impl<'text> Form<'text> {
    pub(super) fn parse(text: &'text str) -> Self {
        Self(url::form_urlencoded::parse(text.as_bytes()).collect())
    }

    /// SSO takes nothing else than a form.
    pub(super) fn of_body(content_type: Option<&str>, body: &'text str) -> Option<Self> {
        let is_form = content_type.is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"));
        is_form.then(|| Self::parse(body))
    }

    /// What is empty counts as absent.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(AsRef::as_ref).filter(|value| !value.is_empty())
    }
}
