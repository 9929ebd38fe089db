//! The scheduler: one tick looks at everything that is due and puts a hint for each into the broker.
//!
//! Where to start: [`Scheduler::tick`].

mod report;
mod tick;

pub use report::{Report, count};
pub use tick::{Scheduler, TickOptions};
