//! What a look has found, compared with what was expected by what it means.

use std::fmt;
use std::ops::Deref;

use serde_json::Value;

use super::real_killmails::same;

/// A row or a value that a database gave. Equal to what is expected where that is what it means: SQLite has no booleans
/// and no lists, it has 1 and 0, and JSON as text. Two of them are equal to the letter.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Found(pub(super) Value);

impl Found {
    /// One column of a row.
    pub(crate) fn column(&self, name: &str) -> Self {
        Self(self.0[name].clone())
    }

    /// A row but for one column.
    pub(crate) fn without(mut self, name: &str) -> Self {
        let removed = self.0.as_object_mut().and_then(|row| row.remove(name));
        assert!(removed.is_some(), "{self} has no column {name}");
        self
    }
}

impl Deref for Found {
    type Target = Value;

    fn deref(&self) -> &Value {
        &self.0
    }
}

impl fmt::Display for Found {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl PartialEq<Value> for Found {
    fn eq(&self, expected: &Value) -> bool {
        means(&self.0, expected)
    }
}

impl PartialEq<bool> for Found {
    fn eq(&self, expected: &bool) -> bool {
        means(&self.0, &Value::Bool(*expected))
    }
}

fn means(found: &Value, expected: &Value) -> bool {
    match (found, expected) {
        (Value::Number(found), Value::Bool(expected)) => found.as_i64() == Some(i64::from(*expected)),
        (Value::String(text), Value::Array(_)) => serde_json::from_str(text).is_ok_and(|list: Value| list == *expected),
        (Value::Object(found), Value::Object(expected)) => {
            found.len() == expected.len()
                && found.iter().all(|(name, value)| expected.get(name).is_some_and(|expected| means(value, expected)))
        }
        (found, expected) => same(found, expected),
    }
}
