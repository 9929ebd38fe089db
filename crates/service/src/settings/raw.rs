//! How one value is read: what clap found on the command line or in the environment becomes a text, or an error that
//! names the variable.
//!
//! The values arrive as [`OsString`] on purpose: for a `String` clap itself would refuse what is not UTF-8, and for a
//! path it would refuse what is empty, both with its usage text instead of our line.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;

use secrecy::SecretString;

use super::SettingError;

/// The text of an optional setting, which is `None` if neither the flag nor the variable is there. Empty counts as not
/// set.
pub(super) fn optional<'a>(variable: &'static str, raw: &'a Option<OsString>) -> Result<Option<&'a str>, SettingError> {
    let Some(value) = raw.as_ref().filter(|value| !value.is_empty()) else { return Ok(None) };
    match value.to_str() {
        Some(text) => Ok(Some(text)),
        None => Err(SettingError::malformed(variable, "is not valid UTF-8", "give it as plain text")),
    }
}

/// The text of a setting that has no default.
pub(super) fn required<'a>(
    variable: &'static str,
    raw: &'a Option<OsString>,
    remedy: &str,
) -> Result<&'a str, SettingError> {
    optional(variable, raw)?.ok_or_else(|| SettingError::not_set(variable, remedy))
}

/// A setting that may be given as a value or as a file that holds the value.
pub(super) struct SecretSetting {
    pub(super) variable: &'static str,
    pub(super) file_variable: &'static str,
    /// What to give, for the message when it is missing.
    pub(super) remedy: &'static str,
}

impl SecretSetting {
    /// A file may end with one line end, which is not part of the secret.
    pub(super) fn read(&self, value: &Option<OsString>, file: &Option<OsString>) -> Result<SecretString, SettingError> {
        self.read_optional(value, file)?.ok_or_else(|| SettingError::not_set(self.variable, self.remedy))
    }

    /// As [`SecretSetting::read`], of a setting that has a default.
    pub(super) fn read_optional(
        &self,
        value: &Option<OsString>,
        file: &Option<OsString>,
    ) -> Result<Option<SecretString>, SettingError> {
        let value = optional(self.variable, value)?;
        let file = optional(self.file_variable, file)?;
        match (value, file) {
            (Some(_), Some(_)) => {
                let problem = format!("and {} are both set", self.file_variable);
                Err(SettingError::malformed(self.variable, problem, "keep one of them"))
            }
            (Some(value), None) => Ok(Some(SecretString::from(value))),
            (None, Some(path)) => self.read_file(path).map(Some),
            (None, None) => Ok(None),
        }
    }

    fn read_file(&self, path: &str) -> Result<SecretString, SettingError> {
        let refused = |problem| {
            let remedy = "give the path of a file that this user can read and that holds nothing but the value";
            SettingError::malformed(self.file_variable, problem, remedy)
        };
        let read = || {
            let mut file = File::open(path)?;
            let metadata = file.metadata()?;
            let mut text = String::new();
            file.read_to_string(&mut text)?;
            io::Result::Ok((text, metadata))
        };
        let (text, metadata) =
            read().map_err(|error| refused(format!("names {path:?}, which cannot be read ({error})")))?;
        // Not refused: container runtimes mount secrets readable by all, where there is nobody else to read them.
        if is_open_to_others(metadata.mode(), metadata.uid()) {
            tracing::warn!(
                variable = self.file_variable,
                path,
                mode = format!("{:04o}", metadata.mode() & 0o7777),
                "the file of a secret is open to other users: `chmod 600` it, or give the secret a mode of 0400 where it is mounted"
            );
        }
        let value = text.strip_suffix('\n').map_or(text.as_str(), |line| line.strip_suffix('\r').unwrap_or(line));
        if value.is_empty() {
            return Err(refused(format!("names {path:?}, which is empty")));
        }
        Ok(SecretString::from(value))
    }
}

/// As PostgreSQL asks of a private key: nobody but its owner has anything to do with it. A file of root's may be readable
/// by a group, for that is how root gives it to a user of the system.
fn is_open_to_others(mode: u32, owner: u32) -> bool {
    let others = if owner == 0 { 0o037 } else { 0o077 };
    mode & others != 0
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStringExt;

    use secrecy::ExposeSecret;

    use super::super::testing::TemporaryFile;
    use super::*;

    const SECRET: SecretSetting =
        SecretSetting { variable: "KILLFLEET_X", file_variable: "KILLFLEET_X_FILE", remedy: "give an x" };

    fn raw(text: &str) -> Option<OsString> {
        Some(text.into())
    }

    fn from_file(content: &str) -> Result<String, String> {
        let file = TemporaryFile::with(content);
        SECRET
            .read(&None, &raw(file.path()))
            .map(|secret| secret.expose_secret().to_owned())
            .map_err(|error| error.to_string().replace(file.path(), "PATH"))
    }

    #[test]
    fn empty_counts_as_not_set() {
        assert_eq!(optional("KILLFLEET_X", &None), Ok(None));
        assert_eq!(optional("KILLFLEET_X", &raw("")), Ok(None));
        assert_eq!(optional("KILLFLEET_X", &raw("a")), Ok(Some("a")));
        let error = required("KILLFLEET_X", &raw(""), "give an x").unwrap_err();
        assert_eq!(error.to_string(), "KILLFLEET_X is not set: give an x");
        let error = SECRET.read(&raw(""), &raw("")).unwrap_err();
        assert_eq!(error.to_string(), "KILLFLEET_X is not set: give an x");
        assert_eq!(SECRET.read(&raw("s"), &raw("")).unwrap().expose_secret(), "s");
    }

    #[test]
    fn what_is_not_text_is_named() {
        let error = optional("KILLFLEET_X", &Some(OsString::from_vec(vec![0xff]))).unwrap_err();
        assert_eq!(error.to_string(), "KILLFLEET_X is not valid UTF-8: give it as plain text");
    }

    #[test]
    fn a_secret_file_may_end_with_one_line_end() {
        for (content, expected) in
            [("s", "s"), ("s\n", "s"), ("s\r\n", "s"), ("s\n\n", "s\n"), (" s ", " s "), ("a\nb\n", "a\nb")]
        {
            assert_eq!(from_file(content).as_deref(), Ok(expected), "{content:?}");
        }
        for empty in ["", "\n", "\r\n"] {
            let error = from_file(empty).unwrap_err();
            assert!(error.starts_with("KILLFLEET_X_FILE names \"PATH\", which is empty: "), "{error}");
        }
    }

    #[test]
    fn a_file_of_a_secret_is_its_owners_or_roots_and_a_groups() {
        const SOMEBODY: u32 = 1000;
        for (mode, of_somebody, of_root) in [
            (0o600, false, false),
            (0o400, false, false),
            (0o100_600, false, false),
            (0o640, true, false),
            (0o440, true, false),
            (0o660, true, true),
            (0o644, true, true),
            (0o444, true, true),
            (0o604, true, true),
            (0o602, true, true),
        ] {
            assert_eq!(is_open_to_others(mode, SOMEBODY), of_somebody, "{mode:o}");
            assert_eq!(is_open_to_others(mode, 0), of_root, "{mode:o} of root");
        }
    }

    #[test]
    fn value_and_file_exclude_each_other() {
        let error = SECRET.read(&raw("hush"), &raw("/no/such/file")).unwrap_err();
        assert_eq!(error.to_string(), "KILLFLEET_X and KILLFLEET_X_FILE are both set: keep one of them");
    }

    #[test]
    fn an_unreadable_file_is_named_with_its_variable() {
        for path in ["/no/such/file", "/"] {
            let error = SECRET.read(&None, &raw(path)).unwrap_err();
            assert_eq!(error.variable, "KILLFLEET_X_FILE");
            let text = error.to_string();
            assert!(text.contains(&format!("names {path:?}, which cannot be read (")), "{text}");
            assert!(!text.contains('\n'), "{text}");
        }
    }
}
