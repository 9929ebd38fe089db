//! What a person sees while tokens are sealed anew: a bar on a terminal, a line now and then elsewhere, nothing beside
//! JSON.

use std::io::{IsTerminal, stderr};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use store::reseal::ResealProgress;

/// Lines elsewhere than on a terminal: one for each tenth.
const LINES: u64 = 10;

pub(super) enum RotateProgress {
    Silent,
    Lines { last: Option<u64> },
    Bar(ProgressBar),
}

impl RotateProgress {
    pub(super) fn new(is_silent: bool) -> Self {
        match (is_silent, stderr().is_terminal()) {
            (true, _) => Self::Silent,
            (false, true) => Self::Bar(new_bar()),
            (false, false) => Self::Lines { last: None },
        }
    }

    pub(super) fn show(&mut self, ResealProgress { streams_done, streams }: ResealProgress) {
        // Logins may come in meanwhile.
        let streams = streams.max(streams_done);
        match self {
            Self::Silent => {}
            Self::Lines { last } => {
                let line = streams_done * LINES / streams.max(1);
                if *last != Some(line) {
                    *last = Some(line);
                    eprintln!("key rotate: {streams_done} of {streams} token streams");
                }
            }
            Self::Bar(bar) => {
                bar.set_length(streams);
                bar.set_position(streams_done);
            }
        }
    }

    /// The bar stays as it is.
    pub(super) fn end(&self) {
        if let Self::Bar(bar) = self {
            bar.abandon();
        }
    }
}

fn new_bar() -> ProgressBar {
    let style = ProgressStyle::with_template("sealing anew {wide_bar} {pos:>9}/{len} token streams")
        .expect("the template is a constant that can be read");
    ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr()).with_style(style)
}
