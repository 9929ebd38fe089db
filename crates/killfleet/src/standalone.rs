//! The whole fleet in one process: ticks, three lanes in memory, and the handlers that the workers run.
//!
//! Rows are the truth here too, so the lanes need not outlive the process: what is in them when it dies is due again at
//! the next start ([`Engine::run`] begins with that). They are bounded: whatever finds no room has the mark on its row
//! taken back, and a later tick finds it.
//!
//! Where to start: [`Engine`] joins everything; `lanes` is the queue, `work` the life of one job, `pace` when ticks come.
//! `picture` and [`Screen`] are what a person sees of it.

mod alarms;
mod engine;
mod lanes;
mod marks;
mod pace;
mod picture;
mod screen;
mod work;

pub(crate) use engine::{Ended, Engine, EngineSettings, Observer};
pub(crate) use pace::Until;
pub(crate) use screen::{Screen, is_drawn};
