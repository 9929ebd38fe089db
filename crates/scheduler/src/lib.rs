//! The scheduler: one tick looks at everything that is due and puts a hint for each into its lane.
//!
//! Where to start: [`Scheduler::tick`]. It knows no broker: the binary brings RabbitMQ's queues to it, and a fleet in one
//! process its own.

mod arguments;
mod readiness;
mod report;
mod room;
mod tick;

pub use arguments::{DueArgs, parse_interval, spread};
pub use readiness::database_readiness;
pub use report::{Report, print};
pub use room::Room;
pub use tick::{PublishedJobs, Scheduler, TickOptions, Ticked};
