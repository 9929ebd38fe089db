//! What a person sees while archives are read: a bar on a terminal, a line now and then elsewhere, nothing beside JSON.

use std::io::{IsTerminal, stderr};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Lines elsewhere than on a terminal: one for each tenth.
const LINES: u64 = 10;

pub(super) enum ImportProgress {
    Silent,
    Lines { last: u64, bytes: u64 },
    Bar(ProgressBar),
}

impl ImportProgress {
    /// `bytes` is what all files have together.
    pub(super) fn new(is_silent: bool, bytes: u64) -> Self {
        match (is_silent, stderr().is_terminal()) {
            (true, _) => Self::Silent,
            (false, true) => Self::Bar(new_bar(bytes)),
            (false, false) => Self::Lines { last: 0, bytes },
        }
    }

    pub(super) fn show(&mut self, bytes_read: u64, killmails: u64) {
        match self {
            Self::Silent => {}
            Self::Lines { last, bytes } => {
                let line = bytes_read * LINES / (*bytes).max(1);
                if *last != line {
                    *last = line;
                    eprintln!("import everef: {bytes_read} of {bytes} bytes read, {killmails} killmails");
                }
            }
            Self::Bar(bar) => {
                bar.set_position(bytes_read);
                bar.set_message(format!("{killmails} killmails"));
            }
        }
    }

    /// Does something that writes lines where the bar stands.
    pub(super) fn beside(&self, write: impl FnOnce()) {
        match self {
            Self::Bar(bar) => bar.suspend(write),
            Self::Silent | Self::Lines { .. } => write(),
        }
    }

    /// The bar stays as it is.
    pub(super) fn end(&self) {
        if let Self::Bar(bar) = self {
            bar.abandon();
        }
    }
}

fn new_bar(bytes: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("importing {wide_bar} {bytes:>10}/{total_bytes} {eta:>4} {msg:>18}")
        .expect("the template is a constant that can be read");
    ProgressBar::with_draw_target(Some(bytes), ProgressDrawTarget::stderr()).with_style(style)
}
