//! What a person sees while the demo works: a bar on a terminal, a line now and then elsewhere, nothing beside JSON.

use std::convert::Infallible;
use std::io::{IsTerminal, stderr};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use store::Store;
use tokio::time::sleep;

const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Lines elsewhere than on a terminal: one for each tenth of the work.
const LINES: u64 = 10;

pub(crate) enum Progress {
    Silent,
    Lines { killmails: u64 },
    Bar(ProgressBar),
}

impl Progress {
    /// Towards so many stored killmails.
    pub(crate) fn towards(killmails: u64, is_silent: bool) -> Self {
        if is_silent {
            return Self::Silent;
        }
        if !stderr().is_terminal() {
            return Self::Lines { killmails };
        }
        let style = ProgressStyle::with_template("{msg:<32} {wide_bar} {pos}/{len} killmails")
            .expect("the template is a constant that can be read");
        let bar = ProgressBar::with_draw_target(Some(killmails), ProgressDrawTarget::stderr()).with_style(style);
        Self::Bar(bar)
    }

    /// The next thing to happen.
    pub(crate) fn say(&self, what: &str) {
        match self {
            Self::Silent => {}
            Self::Lines { .. } => eprintln!("demo: {what}"),
            Self::Bar(bar) => bar.set_message(what.to_owned()),
        }
    }

    /// Shows how many killmails are stored, again and again.
    pub(crate) async fn watch(&self, store: &Store) -> Infallible {
        let mut lines_printed = 0;
        loop {
            // The fleet's own trouble with its database is told by those who need it.
            let stored = store.status().await.map_or(0, |status| status.killmails_stored.unsigned_abs());
            match self {
                Self::Silent => {}
                Self::Lines { killmails } => {
                    let lines = stored * LINES / (*killmails).max(1);
                    if lines > lines_printed {
                        lines_printed = lines;
                        eprintln!("demo: {stored} of {killmails} killmails stored");
                    }
                }
                Self::Bar(bar) => bar.set_position(stored),
            }
            sleep(LOOK_EVERY).await;
        }
    }

    pub(crate) fn end(&self) {
        if let Self::Bar(bar) = self {
            bar.finish_and_clear();
        }
    }
}
