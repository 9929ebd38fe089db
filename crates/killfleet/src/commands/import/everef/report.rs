//! What an import of archives has done, in numbers; what was refused, each with its reason.

use std::fmt;

use serde::Serialize;

/// More refusals than these are only counted: an archive in which nothing is right must not fill the memory.
const REFUSALS_TOLD_MAX: usize = 1000;

#[derive(Debug, Default, Serialize)]
pub(super) struct Report {
    /// Those that were read to their end.
    pub(super) files: u64,
    pub(super) killmails: u64,
    pub(super) stored: u64,
    pub(super) already_stored: u64,
    /// They are stored all the same.
    pub(super) telling_of_another_hash: u64,
    /// Files, members that are no killmails, and killmails that could not be stored.
    pub(super) refused: u64,
    pub(super) refusals: Vec<Refusal>,
    pub(super) seconds: f64,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Refusal {
    pub(super) file: String,
    /// None for the file itself.
    pub(super) member: Option<String>,
    pub(super) reason: String,
}

impl Report {
    pub(super) fn refuse(&mut self, refusal: Refusal) {
        self.refused += 1;
        if self.refusals.len() < REFUSALS_TOLD_MAX {
            self.refusals.push(refusal);
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = [
            ("files", self.files),
            ("killmails", self.killmails),
            ("stored", self.stored),
            ("stored already", self.already_stored),
            ("telling of another hash", self.telling_of_another_hash),
            ("refused", self.refused),
        ];
        for (name, count) in counts {
            writeln!(formatter, "{name:<24}{count:>10}")?;
        }
        write!(formatter, "{:<24}{:>10.1}", "seconds", self.seconds)?;
        for Refusal { file, member, reason } in &self.refusals {
            let member = member.as_ref().map_or_else(String::new, |member| format!("{member}: "));
            write!(formatter, "\nrefused: {file}: {member}{reason}")?;
        }
        match self.refused.saturating_sub(self.refusals.len() as u64) {
            0 => Ok(()),
            more => write!(formatter, "\nrefused: {more} more"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_told_up_to_a_point_and_counted_beyond_it() {
        let mut report = Report { files: 1, killmails: 20, seconds: 1.25, ..Report::default() };
        for number in 0..REFUSALS_TOLD_MAX + 5 {
            let member = (number > 0).then(|| format!("{number}.json"));
            report.refuse(Refusal { file: "a.tar.bz2".to_owned(), member, reason: "why".to_owned() });
        }
        let told = report.to_string();
        assert!(told.starts_with("files                            1\nkillmails                       20\n"), "{told}");
        assert!(told.contains("\nrefused                       1005\nseconds                        1."), "{told}");
        assert!(told.contains("\nrefused: a.tar.bz2: why\nrefused: a.tar.bz2: 1.json: why\n"), "{told}");
        assert!(told.ends_with(": 999.json: why\nrefused: 5 more"), "{told}");
    }
}
