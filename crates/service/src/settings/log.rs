//! What is logged, and in which form.

use std::ffi::OsString;

use clap::Args;
use tracing_subscriber::filter::{LevelFilter, Targets};

use super::raw::optional;
use super::{SettingError, names};

const DEFAULT_FILTER: &str = "info";
const FILTER_REMEDY: &str = "give error, warn, info, debug, trace or off, or finer ones such as info,worker=debug";
/// Libraries whose news below a warning are about themselves; of lapin, all, because every failure of it comes back to
/// us and is reported by `broker`. Whoever names one of them gets what was asked for,
/// because what comes later in a filter wins.
const QUIET_LIBRARIES: &str =
    "h2=warn,hyper=warn,hyper_util=warn,lapin=off,reqwest=warn,rustls=warn,sqlx=warn,tower=warn";

/// The flags and variables for the log.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Log")]
pub struct LogArgs {
    /// What is logged to stderr: a level, or levels by module such as info,worker=debug [default: info]
    #[arg(long, global = true, env = names::LOG, value_name = "FILTER")]
    log: Option<OsString>,
    /// Form of the log, text or json [default: text]
    #[arg(long, global = true, env = names::LOG_FORMAT, value_name = "FORMAT")]
    log_format: Option<OsString>,
}

/// One line an event, either for people or for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    Text,
    Json,
}

#[derive(Debug, Clone, PartialEq)]
pub struct LogSettings {
    pub filter: Targets,
    pub format: LogFormat,
}

impl LogArgs {
    /// With another filter than the usual one if none was given.
    #[must_use]
    pub fn or_default(mut self, filter: &str) -> Self {
        if self.log.as_ref().is_none_or(|log| log.is_empty()) {
            self.log = Some(filter.into());
        }
        self
    }

    /// # Errors
    /// The filter cannot be read, or the form is neither `text` nor `json`.
    pub fn resolve(&self) -> Result<LogSettings, SettingError> {
        let filter = optional(names::LOG, &self.log)?.unwrap_or(DEFAULT_FILTER);
        let refused = |problem| SettingError::malformed(names::LOG, problem, FILTER_REMEDY);
        if let Some(word) = mistaken_level(filter) {
            return Err(refused(format!("has {word:?}, which is no level")));
        }
        if let Some(word) = filter.split(',').find(|word| !word.chars().all(is_of_a_module_or_level)) {
            return Err(refused(format!("has {word:?}, which is neither a level nor a module with one")));
        }
        let filter = with_quiet_libraries(filter.trim_end_matches(','));
        let filter = filter.parse().map_err(|error| refused(format!("cannot be {filter:?} ({error})")))?;
        let format = match optional(names::LOG_FORMAT, &self.log_format)? {
            None | Some("text") => LogFormat::Text,
            Some("json") => LogFormat::Json,
            Some(other) => {
                let problem = format!("cannot be {other:?}");
                return Err(SettingError::malformed(names::LOG_FORMAT, problem, "give text or json"));
            }
        };
        Ok(LogSettings { filter, format })
    }
}

/// The filter's own parser takes anything else for a part of a module's name, and nothing would be logged for it.
fn is_of_a_module_or_level(character: char) -> bool {
    character.is_ascii_alphanumeric() || "_:=".contains(character)
}

/// The libraries are held back only where the filter would let more than warnings through: `off` stays silent.
fn with_quiet_libraries(filter: &str) -> String {
    let level = filter.split(',').filter_map(|word| word.parse::<LevelFilter>().ok()).next_back();
    if level > Some(LevelFilter::WARN) { format!("{QUIET_LIBRARIES},{filter}") } else { filter.to_owned() }
}

/// A word alone that is no level, such as `verbose`. The filter's grammar takes it for the name of a module, of which
/// there is none, and the log would stay empty without a word of warning.
fn mistaken_level(filter: &str) -> Option<&str> {
    let mut words = filter.split(',').filter(|word| !word.is_empty() && !word.contains(['=', '[']));
    words.find(|word| word.parse::<LevelFilter>().is_err())
}

#[cfg(test)]
mod tests {
    use super::super::testing::parse;
    use super::*;

    fn resolve(flags: &[&str]) -> Result<LogSettings, String> {
        parse::<LogArgs>(flags).resolve().map_err(|error| error.to_string())
    }

    fn directives(flags: &[&str]) -> Vec<String> {
        resolve(flags).unwrap().filter.to_string().split(',').map(str::to_owned).collect()
    }

    #[test]
    fn info_as_text_with_quiet_libraries_is_the_default() {
        assert_eq!(resolve(&[]).unwrap().format, LogFormat::Text);
        let directives = directives(&[]);
        for expected in ["info", "lapin=off", "sqlx=warn", "hyper=warn", "h2=warn"] {
            assert!(directives.iter().any(|directive| directive == expected), "{expected} in {directives:?}");
        }
    }

    #[test]
    fn another_default_yields_to_what_was_asked_for() {
        let filter = |flags| parse::<LogArgs>(flags).or_default("warn").resolve().unwrap().filter.to_string();
        assert_eq!((filter(&[]), filter(&["--log", ""])), ("warn".to_owned(), "warn".to_owned()));
        assert_eq!(filter(&["--log", "error"]), "error");
    }

    #[test]
    fn a_library_is_heard_when_asked_for() {
        let directives = directives(&["--log", "debug,lapin=trace,worker::lanes=info"]);
        assert!(directives.iter().any(|directive| directive == "lapin=trace"), "{directives:?}");
        assert!(!directives.iter().any(|directive| directive == "lapin=off"), "{directives:?}");
        assert!(directives.iter().any(|directive| directive == "sqlx=warn"), "{directives:?}");
    }

    #[test]
    fn quiet_libraries_are_not_louder_than_the_rest() {
        for filter in ["off", "error", "warn", "worker=debug"] {
            assert_eq!(directives(&["--log", filter]), [filter]);
        }
    }

    #[test]
    fn forms_are_two() {
        assert_eq!(resolve(&["--log-format", "json"]).unwrap().format, LogFormat::Json);
        assert_eq!(resolve(&["--log-format", "text"]).unwrap().format, LogFormat::Text);
        assert_eq!(
            resolve(&["--log-format", "xml"]).unwrap_err(),
            "KILLFLEET_LOG_FORMAT cannot be \"xml\": give text or json"
        );
    }

    #[test]
    fn a_filter_that_would_not_do_what_it_says_is_refused() {
        for filter in ["verbose", "info,chatty", "worker=loud", "a=b=c", "worker[job]=info", "info, broker=trace"] {
            let error = resolve(&["--log", filter]).unwrap_err();
            assert!(error.starts_with("KILLFLEET_LOG "), "{filter}: {error}");
            assert!(error.ends_with(FILTER_REMEDY), "{filter}: {error}");
            assert!(!error.contains('\n'), "{error}");
        }
        for filter in ["off", "INFO", "error,worker=debug", "warn,"] {
            assert!(resolve(&["--log", filter]).is_ok(), "{filter}: {:?}", resolve(&["--log", filter]));
        }
    }
}
