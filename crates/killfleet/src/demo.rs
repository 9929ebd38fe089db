//! What `killfleet demo` is made of: a simulated EVE in this process, the fleet of `killfleet standalone` on a database
//! that goes away, and what a person sees of it.

mod closing_table;
mod fleet;
mod progress;
mod simulated_eve;

pub(crate) use closing_table::ClosingTable;
pub(crate) use fleet::DemoFleet;
pub(crate) use progress::Progress;
pub(crate) use simulated_eve::SimulatedEve;
