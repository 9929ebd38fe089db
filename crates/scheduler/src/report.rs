//! The one line that a tick prints.

use std::fmt;

use domain::plan::TickSummary;
use service::metrics as names;
use service::settings::LogFormat;

/// For people: `due 20, queued 12 to list and 5 to refresh, …`.
#[derive(Debug)]
pub struct Report<'a>(pub &'a TickSummary);

impl fmt::Display for Report<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let summary = self.0;
        let skipped: u64 = summary.skipped.values().sum();
        write!(
            formatter,
            "due {}, queued to list {}, queued to refresh {}, killmails queued to detail {}, skipped {skipped}",
            summary.due, summary.queued_list, summary.queued_refresh, summary.queued_detail_killmails
        )?;
        if skipped > 0 {
            let reasons: Vec<String> =
                summary.skipped.iter().map(|(reason, count)| format!("{reason} {count}")).collect();
            write!(formatter, " ({})", reasons.join(", "))?;
        }
        if summary.queued_corporation > 0 {
            write!(formatter, ", corporations queued to list {}", summary.queued_corporation)?;
        }
        if summary.queued_affiliations > 0 {
            write!(formatter, ", affiliations to be learned {}", summary.queued_affiliations)?;
        }
        if summary.queued_exercise > 0 {
            write!(formatter, ", token streams queued to be kept alive {}", summary.queued_exercise)?;
        }
        if summary.queued_look > 0 {
            write!(formatter, ", token streams queued to be looked at {}", summary.queued_look)?;
        }
        if summary.waiting_for_room > 0 {
            write!(formatter, ", waiting for room in a lane {}", summary.waiting_for_room)?;
        }
        if summary.unconfirmed > 0 {
            write!(formatter, ", not confirmed {}", summary.unconfirmed)?;
        }
        Ok(())
    }
}

/// Prints the line of a tick, for people or for programs.
///
/// # Errors
/// Standard output cannot be written to.
pub fn print(format: LogFormat, summary: &TickSummary) -> anyhow::Result<()> {
    let line = match format {
        LogFormat::Json => serde_json::to_string(summary)?,
        LogFormat::Text => Report(summary).to_string(),
    };
    Ok(service::print_line(&line)?)
}

/// Adds a tick to the metrics of the process.
pub(crate) fn count(summary: &TickSummary) {
    let queued = |lane: &'static str, jobs| metrics::counter!(names::TICK_QUEUED, "lane" => lane).increment(jobs);
    queued("list", summary.queued_list + summary.queued_corporation);
    queued("refresh", summary.queued_refresh + summary.queued_exercise + summary.queued_look);
    queued("detail", summary.queued_detail_killmails);
    for (reason, characters) in &summary.skipped {
        metrics::counter!(names::TICK_SKIPPED, "reason" => *reason).increment(*characters);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_for_people() {
        let mut summary = TickSummary { due: 5, queued_list: 2, queued_refresh: 1, ..TickSummary::default() };
        assert_eq!(
            Report(&summary).to_string(),
            "due 5, queued to list 2, queued to refresh 1, killmails queued to detail 0, skipped 0"
        );
        summary.skipped = [("needs_login", 1), ("waiting_for_probe", 1)].into();
        summary.unconfirmed = 3;
        assert_eq!(
            Report(&summary).to_string(),
            "due 5, queued to list 2, queued to refresh 1, killmails queued to detail 0, \
             skipped 2 (needs_login 1, waiting_for_probe 1), not confirmed 3"
        );
    }
}
