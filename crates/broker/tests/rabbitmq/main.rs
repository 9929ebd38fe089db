//! The crate against a real RabbitMQ: `KILLFLEET_TEST_AMQP_URL`, by default the one on this machine.
//!
//! Every test has queues of its own, deletes them at its end, and ends by checking that nothing was left in them.

#![expect(clippy::unwrap_used, reason = "a fixture that cannot be made fails its test")]

mod faults;
mod fixture;
mod parked;
mod proxy;
mod publishing;
mod settling;
mod stopping;
