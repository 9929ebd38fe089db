//! `delete_queues <amqp-url> <prefix>` deletes the queues of one prefix, whatever is in them. For the scripts in `dev/`,
//! so that a demonstration leaves nothing behind.
#![expect(clippy::print_stderr, reason = "a command for scripts")]

use std::process::ExitCode;

use broker::{QueuePrefix, Topology};
use domain::Lane;
use lapin::options::QueueDeleteOptions;
use lapin::{Connection, ConnectionProperties};

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [url, prefix] = &arguments[..] else {
        eprintln!("usage: delete_queues <amqp-url> <prefix>");
        return ExitCode::from(2);
    };
    match delete(url, prefix).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("delete_queues: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn delete(url: &str, prefix: &str) -> Result<(), Box<dyn std::error::Error>> {
    let topology = Topology::of(QueuePrefix::parse(prefix)?);
    let connection = Connection::connect(url, ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    let queues = Lane::ALL.into_iter().map(|lane| topology.lane_queue(lane)).chain([topology.parked_queue()]);
    for queue in queues {
        // Deleting a queue that does not exist is no error to RabbitMQ.
        channel.queue_delete(queue.into(), QueueDeleteOptions::default()).await?;
    }
    connection.close(200, "bye".into()).await?;
    Ok(())
}
