//! Where the progress goes: one line that is redrawn in place on a terminal, a calm line now and then elsewhere.

use std::cell::Cell;
use std::convert::Infallible;
use std::io::{IsTerminal, stdout};
use std::time::Duration;

use domain::plan::TickSummary;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use service::settings::LogFormat;
use store::Store;
use tokio::time::{Instant, sleep};

use super::Observer;
use super::picture::Picture;

/// Of the line on a terminal.
const REDRAWN_EVERY: Duration = Duration::from_secs(1);
/// Elsewhere; and only what has changed.
const LINE_EVERY: Duration = Duration::from_secs(30);
/// Looking at the rows takes at most one part in so many of the time, however many there are.
const LOOKS_TAKE_A_PART_IN: u32 = 50;

pub(crate) struct Screen {
    format: LogFormat,
    /// Whether ticks that have queued something get a line of their own, and the first in any case.
    shows_ticks: bool,
    is_first_tick: Cell<bool>,
    /// On a terminal.
    drawn: Option<ProgressBar>,
}

/// Whether the progress is drawn in place. Then the log has to step aside, and should be quiet.
pub(crate) fn is_drawn(format: LogFormat) -> bool {
    format == LogFormat::Text && stdout().is_terminal()
}

impl Screen {
    pub(crate) fn new(format: LogFormat, shows_ticks: bool) -> Self {
        let drawn = is_drawn(format).then(|| {
            let style =
                ProgressStyle::with_template("{wide_msg}").expect("the template is a constant that can be read");
            let line = ProgressBar::with_draw_target(None, ProgressDrawTarget::stdout()).with_style(style);
            let beside_log = line.clone();
            service::telemetry::step_aside(move |write| beside_log.suspend(write));
            line
        });
        Self { format, shows_ticks, is_first_tick: Cell::new(true), drawn }
    }

    pub(crate) fn tick(&self, summary: &TickSummary) {
        let is_first = self.is_first_tick.replace(false);
        let has_queued = summary.queued_list + summary.queued_refresh + summary.queued_detail_killmails > 0;
        if self.shows_ticks && (is_first || has_queued) {
            let print = || scheduler::print(self.format, summary);
            said(self.drawn.as_ref().map_or_else(print, |line| line.suspend(print)));
        }
    }

    /// Shows how things are, again and again.
    pub(crate) async fn watch(&self, store: &Store, observer: &Observer) -> Infallible {
        match &self.drawn {
            Some(line) => redraw(line, store, observer).await,
            None => self.print_changes(store, observer).await,
        }
    }

    async fn print_changes(&self, store: &Store, observer: &Observer) -> Infallible {
        let mut last = None;
        loop {
            sleep(LINE_EVERY).await;
            if let Some(picture) = look(store, observer).await {
                let substance = Some(picture.substance());
                if substance != last {
                    last = substance;
                    self.print(&picture);
                }
            }
        }
    }

    /// The last line.
    pub(crate) async fn end(&self, store: &Store, observer: &Observer) {
        let picture = look(store, observer).await;
        if let Some(line) = &self.drawn {
            line.finish_and_clear();
        }
        if let Some(picture) = picture {
            self.print(&picture);
        }
    }

    fn print(&self, picture: &Picture) {
        let line = match self.format {
            LogFormat::Json => picture.json(),
            LogFormat::Text => Ok(picture.to_string()),
        };
        said(line.map_err(anyhow::Error::from).and_then(|line| Ok(service::print_line(&line)?)));
    }
}

async fn redraw(line: &ProgressBar, store: &Store, observer: &Observer) -> Infallible {
    loop {
        let began = Instant::now();
        let mut picture = look(store, observer).await;
        let look_again = Instant::now() + began.elapsed() * LOOKS_TAKE_A_PART_IN;
        loop {
            if let Some(picture) = &mut picture {
                picture.at_work = observer.look();
                line.set_message(picture.to_string());
                line.tick();
            }
            sleep(REDRAWN_EVERY).await;
            if Instant::now() >= look_again {
                break;
            }
        }
    }
}

/// None when the database does not answer: its own trouble is told by those who need it.
async fn look(store: &Store, observer: &Observer) -> Option<Picture> {
    match Picture::take(store, observer.look()).await {
        Ok(picture) => Some(picture),
        Err(error) => {
            tracing::debug!(reason = %error.failure(), "no picture of the fleet");
            None
        }
    }
}

/// The work goes on when nobody can be told of it.
fn said(said: anyhow::Result<()>) {
    if let Err(error) = said {
        tracing::warn!(reason = format!("{error:#}"), "standard output cannot be written to");
    }
}
