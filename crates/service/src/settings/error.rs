//! What is wrong with one setting, and how to mend it.

use thiserror::Error;

/// A setting that is missing or malformed. Its text is one line that names the variable; it never holds the value of
/// a secret.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{variable} {problem}: {remedy}")]
pub struct SettingError {
    /// The environment variable, from [`names`](super::names).
    pub variable: &'static str,
    problem: String,
    remedy: String,
}

impl SettingError {
    /// `remedy` continues "… is not set: ", for example "give the address of the database".
    #[must_use]
    pub fn not_set(variable: &'static str, remedy: impl Into<String>) -> Self {
        Self::malformed(variable, "is not set", remedy)
    }

    /// `problem` continues the name of the variable ("is not a URL"), `remedy` says what to give instead.
    #[must_use]
    pub fn malformed(variable: &'static str, problem: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { variable, problem: one_line(problem.into()), remedy: one_line(remedy.into()) }
    }
}

/// The text with every run of line ends, and the blanks around it, made one space.
pub(crate) fn one_line(text: String) -> String {
    if !text.contains(['\n', '\r']) {
        return text;
    }
    let lines: Vec<&str> = text.split(['\n', '\r']).map(str::trim).filter(|line| !line.is_empty()).collect();
    lines.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_names_the_variable_and_the_remedy() {
        let error = SettingError::not_set("KILLFLEET_X", "give it as a\nb");
        assert_eq!(error.to_string(), "KILLFLEET_X is not set: give it as a b");
        let error = SettingError::malformed("KILLFLEET_X", "is no\r\n\r\nnumber", "give 1 to 20");
        assert_eq!(error.to_string(), "KILLFLEET_X is no number: give 1 to 20");
    }
}
