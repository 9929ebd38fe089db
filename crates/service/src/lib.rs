//! What every process has: settings, telemetry, signals and health. It knows nothing of killmails.
//!
//! A binary parses its command line with the groups of [`settings`], hands its body to [`run`], and returns the exit
//! code that comes back: 0 done, 1 a failure at run time, 2 configuration. [`health::listen`] opens the address for
//! probes and metrics; the names of all metrics stand in [`metrics`].

mod configuration_error;
mod core_dumps;
pub mod health;
pub mod metrics;
mod output;
mod process;
pub mod settings;
mod signals;
pub mod telemetry;

pub use configuration_error::{ConfigurationError, classed};
pub use output::print_line;
pub use process::{Exit, Process, run};
pub use signals::Stop;
