//! Where parked things are: in the rows, and in a queue if there is a broker.

use broker::{BrokerSettings, ParkedQueue, QueuePrefix};
use clap::Args;
use service::classed;
use service::settings::{BrokerArgs, DatabaseArgs, SettingError, names};
use store::Store;

use crate::NAME;
use crate::commands::connect;

/// More messages than these are told of by their number alone.
const MESSAGES_MAX: usize = 1_000;

#[derive(Args)]
pub(super) struct PlaceArguments {
    #[command(flatten)]
    database: DatabaseArgs,
    #[command(flatten)]
    broker: BrokerArgs,
}

pub(super) struct Place {
    pub(super) store: Store,
    /// None without the broker's address, or if no message is looked for.
    pub(super) queue: Option<ParkedQueue>,
}

impl Place {
    pub(super) async fn open(arguments: &PlaceArguments, with_messages: bool) -> anyhow::Result<Self> {
        let settings = if with_messages { arguments.broker.resolve_if_given()? } else { None };
        let settings = settings.map(|settings| {
            let queue_prefix = QueuePrefix::parse(&settings.queue_prefix)
                .map_err(|error| SettingError::malformed(names::QUEUE_PREFIX, "cannot be used", error.to_string()))?;
            let amqp_url = settings.amqp_url;
            Ok::<_, SettingError>(BrokerSettings { amqp_url, queue_prefix, connection_name: NAME.to_owned() })
        });
        let settings = settings.transpose()?;
        let store = connect(&arguments.database).await?;
        let queue = match settings {
            Some(settings) => {
                let held = ParkedQueue::hold(settings, MESSAGES_MAX).await;
                Some(held.map_err(|error| classed(error.failure()))?)
            }
            None => None,
        };
        Ok(Self { store, queue })
    }

    /// Messages that were held go back.
    pub(super) async fn close(self) {
        if let Some(queue) = self.queue {
            queue.give_back().await;
        }
        self.store.close().await;
    }
}
