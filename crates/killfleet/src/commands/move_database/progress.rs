//! What a person sees while a database is moved: a bar for each table on a terminal, a line now and then elsewhere,
//! nothing beside JSON.

use std::io::{IsTerminal, stderr};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use store::carry::{Phase, Progress};

/// Lines elsewhere than on a terminal: one for each tenth of a table.
const LINES: u64 = 10;

pub(super) enum MoveProgress {
    Silent,
    Lines { last: Option<(&'static str, Phase, u64)> },
    Bars(Option<(&'static str, ProgressBar)>),
}

impl MoveProgress {
    pub(super) fn new(is_silent: bool) -> Self {
        match (is_silent, stderr().is_terminal()) {
            (true, _) => Self::Silent,
            (false, true) => Self::Bars(None),
            (false, false) => Self::Lines { last: None },
        }
    }

    pub(super) fn show(&mut self, progress: Progress) {
        let Progress { table, phase, done, of } = progress;
        let doing = match phase {
            Phase::Carrying => "carried",
            Phase::Comparing => "compared",
        };
        match self {
            Self::Silent => {}
            Self::Lines { last } => {
                let line = (table, phase, done * LINES / of.max(1));
                if *last != Some(line) {
                    *last = Some(line);
                    eprintln!("move: {table}: {done} of {of} rows {doing}");
                }
            }
            Self::Bars(bar) => {
                if bar.as_ref().is_none_or(|(shown, _)| *shown != table) {
                    self.end();
                    *self = Self::Bars(Some((table, new_bar(table, of))));
                }
                if let Self::Bars(Some((_, bar))) = self {
                    bar.set_message(doing);
                    bar.set_position(done);
                }
            }
        }
    }

    /// The last bar stays as it is.
    pub(super) fn end(&self) {
        if let Self::Bars(Some((_, bar))) = self {
            bar.abandon();
        }
    }
}

fn new_bar(table: &'static str, rows: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("{prefix:<22} {wide_bar} {pos:>9}/{len} rows {msg:<8}")
        .expect("the template is a constant that can be read");
    ProgressBar::with_draw_target(Some(rows), ProgressDrawTarget::stderr()).with_style(style).with_prefix(table)
}
