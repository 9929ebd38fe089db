//! Carrying a file over to the database of a fleet. Every test has both before it: `file` and `fleet`.

mod arrange;
mod bodies_refused;
mod equality;
mod fleet_afterwards;
mod hundred_thousand;
mod interruption;
mod refusal;
