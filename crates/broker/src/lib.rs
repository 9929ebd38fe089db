//! RabbitMQ: where hints wait, how they are published and taken, and what is done with them afterwards.
//!
//! Three rules stand in this crate and nowhere else. **Published means confirmed**: [`Publisher::publish`] names the
//! messages that the broker has taken. **At least once**: a message is acknowledged after its follow-ups are
//! confirmed, never before. **A message is a hint**: whatever the broker loses, the database row hints again.
//!
//! Connections are supervised by us: after any failure a session is thrown away whole and a fresh one is built.
//! lapin's own recovery is off, because it has states in which a worker is connected and waits for ever.
//!
//! Where to start: [`Topology`] is the table of queues; `consumer` is the loop of sessions; `work` is the life of one
//! delivery; `confirms` is one round of publishing.

mod address;
mod confirms;
mod connection;
mod consumer;
mod drain;
mod error;
mod follow_ups;
mod jobs;
mod lane;
mod message;
mod park;
mod parked;
mod patience;
mod publisher;
mod reconnect;
mod session;
mod settings;
mod settle;
mod status;
mod topology;
mod work;

pub use consumer::{ConsumerSettings, Until, consume};
pub use error::BrokerError;
pub use jobs::Ended;
pub use message::message_for;
pub use parked::{ParkedMessage, ParkedQueue};
pub use publisher::{Published, Publisher};
pub use settings::{BrokerSettings, InvalidQueuePrefix, QueuePrefix};
pub use status::ConsumerStatus;
pub use topology::Topology;
